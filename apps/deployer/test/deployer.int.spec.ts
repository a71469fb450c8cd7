// Real: anvil, the contracts, the program in a process of its own. USDC is the test's, put where Circle's is.
import { type DeploymentRecord, HttpRpc, planDeployment } from '@gridbourse/chain';
import { type Anvil, devKey, startAnvil } from '@gridbourse/infra';
import { eventually, transactionsOf } from '@gridbourse/testing';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { keccak256 } from 'ethers';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

jest.setTimeout(180_000);

const root = join(import.meta.dirname, '..', '..', '..');
const account = (index: number) => devKey(index).address;
const ROLES = {
  operator: [account(1), account(2)],
  pauser: [account(3)],
  tierSetter: [account(4)],
  suspender: [account(5)],
  slasher: [account(6)],
  disputer: [account(7)],
  rewardPoster: [account(8)],
  upgradeProposer: [account(9)],
  upgradeCanceller: [account(11)],
  treasury: account(12),
  admin: account(13),
};

describe('npm run deploy', () => {
  let folder: string;
  let out: string;
  let anvil: Anvil;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gridbourse-deploy-'));
    out = join(folder, 'record.json');
  });
  afterEach(async () => {
    await anvil.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const start = (args: string[], environment: Record<string, string> = {}) => {
    const main = join(root, 'apps/deployer/src/main.ts');
    const child = spawn(
      process.execPath,
      [
        '--import',
        join(root, 'tools/swc-register.mjs'),
        '--conditions=@gridbourse/source',
        main,
        '--rpc-url',
        anvil.rpcUrl,
        '--out',
        out,
        ...args,
      ],
      { cwd: root, env: { ...process.env, NODE_OPTIONS: '', ...environment } },
    );
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return { child, said: () => text };
  };
  const ended = (child: ChildProcess): Promise<number | null> =>
    child.exitCode !== null || child.signalCode !== null
      ? Promise.resolve(child.exitCode)
      : new Promise((resolve) => child.once('exit', resolve));
  const run = async (args: string[], environment: Record<string, string> = {}) => {
    const { child, said } = start(args, environment);
    return { code: await ended(child), said: said() };
  };

  it('says what is missing, survives kill -9 between any two transactions, and sends nothing twice', async () => {
    anvil = await startAnvil();
    const rpc = new HttpRpc(anvil.rpcUrl);
    const deployer = account(0);
    const dry = await run(['--profile', 'local', '--dry-run']);
    expect(dry.code).toBe(0);
    const count = Number(/^(\d+) transactions of 0x/m.exec(dry.said)![1]);
    expect(dry.said.match(/^missing: /gm)).toHaveLength(count);
    expect(await transactionsOf(anvil.rpcUrl, deployer)).toEqual([]);
    expect(existsSync(out)).toBe(false);

    // Nothing is mined while it runs: each is killed while it waits for its one transaction.
    await rpc.send('evm_setAutomine', [false]);
    const waiting = async () => Number(await rpc.send('eth_getTransactionCount', [deployer, 'pending']));
    for (const killed of [1, 2, 3]) {
      const { child } = start(['--profile', 'local']);
      await eventually(async () => expect(await waiting()).toBe(killed), { deadlineMs: 60_000 });
      child.kill('SIGKILL');
      await ended(child);
      await rpc.send('evm_mine', []);
    }
    await rpc.send('evm_setAutomine', [true]);
    const last = await run(['--profile', 'local']);
    expect(last).toMatchObject({ code: 0, said: expect.stringContaining('checked: ') });
    const sent = await transactionsOf(anvil.rpcUrl, deployer);
    expect(sent).toHaveLength(count);
    expect(sent.every(({ succeeded }) => succeeded)).toBe(true);
    expect(new Set(sent.map(({ to, data }) => `${to} ${data}`)).size).toBe(count);
    expect(await run(['--profile', 'local', '--dry-run'])).toMatchObject({ said: 'nothing is missing\n' });
  });

  it('deploys for Arbitrum Sepolia with the USDC and the roles of that chain, and records what it checked', async () => {
    anvil = await startAnvil({ chainId: 421_614 });
    const rpc = new HttpRpc(anvil.rpcUrl);
    const usdc = '0x75faf114eafb1bdbe2f0316df893fd58ce46aa4d';
    const args = ['--profile', 'arbitrum-sepolia', '--roles', join(folder, 'roles.json')];
    const key = { GRIDBOURSE_DEPLOYER_KEY: devKey(0).privateKey };
    writeFileSync(join(folder, 'roles.json'), JSON.stringify({ ...ROLES, slasher: ROLES.operator }));
    const shared = await run(args, key);
    expect(shared).toMatchObject({
      code: 1,
      said: expect.stringContaining('each role needs a key of its own'),
    });
    writeFileSync(join(folder, 'roles.json'), JSON.stringify(ROLES));
    expect((await run(args)).code).toBe(64);
    expect((await run(args, key)).said).toContain(`the token at ${usdc} is not there`);
    expect((await run(['--profile', 'arbitrum-one', ...args.slice(2)], key)).said).toContain(
      'expected chain 42161, found 421614',
    );

    const plan = planDeployment({ chainId: 421_614, deployer: account(0), roles: ROLES });
    await rpc.send('anvil_setCode', [usdc, plan.deployables[0]!.runtimeCode]);
    expect(await run(args, key)).toMatchObject({ code: 0 });
    const record = JSON.parse(readFileSync(out, 'utf8')) as DeploymentRecord;
    expect(record).toMatchObject({ profile: 'arbitrum-sepolia', deployment: { chainId: 421_614 } });
    expect(record.deployment.contracts.TestUSDC).toBe(usdc);
    expect(record.abis['ComputeMarket']).toContain('function settleBatch(bytes batch)');
    for (const { address, hash } of record.code) {
      expect(keccak256((await rpc.send('eth_getCode', [address, 'latest'])) as string)).toBe(hash);
    }
  });
});
