import { Wallet } from 'ethers';
import { startAnvil, chainProvider, devKey, HttpRpc } from './index.ts';
const anvil = await startAnvil();
const rpc = new HttpRpc(anvil.rpcUrl);
let hangs = 0;
for (let i = 0; i < 600; i++) {
  const p = chainProvider(anvil.rpcUrl, 31337);
  const w = new Wallet(devKey(1).privateKey, p);
  const tx = await w.sendTransaction({ to: w.address });
  const r = await Promise.race([tx.wait(), new Promise((f) => setTimeout(() => f('hang'), 3000))]);
  if (r === 'hang') { hangs++; const rc = await rpc.send('eth_getTransactionReceipt', [tx.hash]) as any; console.log(i, 'hang; receipt', rc?.blockNumber, 'head', await rpc.send('eth_blockNumber', []), JSON.stringify(await rpc.send('txpool_status', []))); }
  p.destroy();
}
console.log('hangs', hangs);
await anvil.stop();
process.exit(0);
