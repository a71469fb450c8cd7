// Real: anvil, the contracts.
import { type Anvil, devKey, startAnvil } from '@gridbourse/infra';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Wallet } from 'ethers';
import { openLease, openMarket, OPERATOR, PROVIDER, TENANT } from '../test/market.ts';
import { encodeCloseLease, encodeOpenLease, encodeSettleBatch } from './calldata.ts';
import { computeMarket, providerRegistry, testUsdc } from './contracts.ts';
import { chainProvider } from './chain-provider.ts';
import { deployContracts } from './deploy/deploy.ts';
import { type Deployment, verifyDeployment } from './deployment.ts';
import { HttpRpc, RpcError } from './json-rpc.ts';
import { chainLeaseKey, leaseRefOf } from './lease-key.ts';
import { decodeContractLog, type RawLog } from './logs.ts';
import { explainRevert } from './reverts.ts';

jest.setTimeout(60_000);

describe('the contracts, from the side of the services', () => {
  let anvil: Anvil;
  let rpc: HttpRpc;
  let deployment: Deployment;
  let provider: ReturnType<typeof chainProvider>;
  let operator: Wallet;

  const send = async (data: string) => {
    const sent = await operator.sendTransaction({ to: deployment.contracts.ComputeMarket, data });
    return (await sent.wait())!;
  };
  const decoded = (logs: readonly RawLog[]) => logs.map((log) => decodeContractLog(deployment, log));

  beforeAll(async () => {
    anvil = await startAnvil();
    rpc = new HttpRpc(anvil.rpcUrl);
    deployment = await openMarket(anvil.rpcUrl, 10n ** 12n);
    provider = chainProvider(anvil.rpcUrl, deployment.chainId);
    operator = new Wallet(OPERATOR.privateKey, provider);
  });
  afterAll(async () => {
    provider.destroy();
    await anvil.stop();
  });

  it('are deployed once: the same call gives the same places and sends nothing', async () => {
    const height = await rpc.send('eth_blockNumber', []);
    const roles = { operator: [OPERATOR.address], pauser: [devKey(3).address] };
    const again = await deployContracts({ rpcUrl: anvil.rpcUrl, deployerKey: devKey(0).privateKey, roles });
    expect(again).toEqual(deployment);
    expect(await rpc.send('eth_blockNumber', [])).toBe(height);
    expect(again.contracts.ComputeMarket).toMatch(/^0x[0-9a-f]{40}$/);
    await verifyDeployment(rpc, deployment);
    await expect(verifyDeployment(rpc, { ...deployment, chainId: 1 })).rejects.toMatchObject({
      code: 'wrong_chain',
    });
    const elsewhere = { ...deployment.contracts, ComputeMarket: devKey(39).address };
    await expect(verifyDeployment(rpc, { ...deployment, contracts: elsewhere })).rejects.toMatchObject({
      code: 'contracts_missing',
    });
  });

  it('grant a role that is missing, and hand the admin role over for good', async () => {
    const fresh = await startAnvil();
    try {
      const [deployer, admin, first, second] = [devKey(0), devKey(5), devKey(6), devKey(7)];
      const deploy = (operators: string[]) =>
        deployContracts({
          rpcUrl: fresh.rpcUrl,
          deployerKey: deployer.privateKey,
          roles: { operator: operators, admin: admin.address },
        });
      const there = await deploy([first.address]);
      expect(await deploy([first.address])).toEqual(there);
      await expect(deploy([first.address, second.address])).rejects.toMatchObject({ code: 'missing_role' });
    } finally {
      await fresh.stop();
    }
  });

  it('say in their events what the published language says', async () => {
    const leaseKey = chainLeaseKey(1, 1n);
    const lease = {
      leaseKey,
      tenant: TENANT.address,
      rateMicrosPerHour: 7n,
      durationSeconds: 3_601,
      leaseRef: leaseRefOf('lea_1'),
    };
    const opened = await send(encodeOpenLease(lease));
    const block = await provider.getBlock(opened.blockNumber);
    expect(decoded(opened.logs)).toEqual([
      {
        contract: 'ComputeMarket',
        log: {
          name: 'LeaseOpened',
          leaseKey,
          leaseRef: leaseRefOf('lea_1'),
          tenant: TENANT.address,
          chainProviderId: 1,
          rateMicrosPerHour: 7n,
          lockMicros: 8n,
          openedAtSeconds: block!.timestamp,
        },
      },
    ]);
    await rpc.send('evm_increaseTime', [3_600]);
    const other = chainLeaseKey(1, 99n);
    const settled = await send(
      encodeSettleBatch([
        { leaseKey, cumulativeMicros: 3n },
        { leaseKey: other, cumulativeMicros: 1n },
        { leaseKey, cumulativeMicros: 3n },
        { leaseKey, cumulativeMicros: 9n },
        { leaseKey, cumulativeMicros: 8n },
      ]),
    );
    expect(decoded(settled.logs)).toEqual([
      {
        contract: 'ComputeMarket',
        log: {
          name: 'LeasesSettled',
          rows: [{ leaseKey, paidMicros: 3n, settledMicros: 3n }],
          skipped: [
            { leaseKey: other, cumulativeMicros: 1n, reason: 'unknown_lease' },
            { leaseKey, cumulativeMicros: 3n, reason: 'already_settled' },
            { leaseKey, cumulativeMicros: 9n, reason: 'more_than_lock' },
            { leaseKey, cumulativeMicros: 8n, reason: 'more_than_earned' },
          ],
        },
      },
    ]);
    const closed = await send(encodeCloseLease(leaseKey, 5n));
    expect(decoded(closed.logs)[0]!.log).toEqual({
      name: 'LeaseClosed',
      leaseKey,
      tenant: TENANT.address,
      chainProviderId: 1,
      paidMicros: 2n,
      settledMicros: 5n,
      refundedMicros: 3n,
    });
    const owner = new Wallet(PROVIDER.privateKey, provider);
    const claimed = await (await computeMarket(deployment.contracts.ComputeMarket, owner).claim(1)).wait();
    expect(decoded(claimed!.logs).filter((log) => log !== null)).toEqual([
      {
        contract: 'ComputeMarket',
        log: { name: 'EarningsClaimed', chainProviderId: 1, to: PROVIDER.address, amountMicros: 5n },
      },
    ]);
  });

  it('say what tenants and providers do', async () => {
    const { contracts } = deployment;
    const tenant = new Wallet(devKey(11).privateKey, provider);
    const usdc = testUsdc(contracts.TestUSDC, tenant);
    const market = computeMarket(contracts.ComputeMarket, tenant);
    const registry = providerRegistry(contracts.ProviderRegistry, tenant);
    const logsOf = async (sent: Promise<{ wait(): Promise<unknown> }>) =>
      decoded(((await (await sent).wait()) as { logs: RawLog[] }).logs).filter((log) => log !== null);
    await (await usdc.mint(tenant.address, 500n)).wait();
    await (await usdc.approve(contracts.ComputeMarket, 100n)).wait();
    await (await usdc.approve(contracts.ProviderRegistry, 400n)).wait();
    const who = devKey(11).address;
    const on = (contract: string, log: object) => [{ contract, log }];
    expect(await logsOf(market.deposit(100n))).toEqual(
      on('ComputeMarket', { name: 'Deposited', tenant: who, amountMicros: 100n }),
    );
    expect(await logsOf(market.withdraw(40n))).toEqual(
      on('ComputeMarket', { name: 'Withdrawn', tenant: who, amountMicros: 40n }),
    );
    expect(await logsOf(market.setSpendingLimit(2n ** 64n - 1n, 5n, 2 ** 40 - 1))).toEqual(
      on('ComputeMarket', {
        name: 'SpendingLimitSet',
        tenant: who,
        maxRateMicrosPerHour: 2n ** 64n - 1n,
        maxLockedMicros: 5n,
        validUntilSeconds: 2 ** 40 - 1,
      }),
    );
    expect(await logsOf(registry.register(devKey(12).address, leaseRefOf('x')))).toEqual(
      on('ProviderRegistry', {
        name: 'ProviderRegistered',
        chainProviderId: 2,
        owner: who,
        payout: devKey(12).address,
      }),
    );
    const staked = { name: 'StakeChanged', chainProviderId: 2, owner: who };
    expect(await logsOf(registry.stake(400n))).toEqual(
      on('ProviderRegistry', { ...staked, stakeMicros: 400n }),
    );
    expect(await logsOf(registry.requestUnstake(150n))).toEqual(
      on('ProviderRegistry', { ...staked, stakeMicros: 250n }),
    );
  });

  it('name what they refuse, however the error arrives', async () => {
    const data = openLease(50n, 2 ** 31);
    const call = { from: OPERATOR.address, to: deployment.contracts.ComputeMarket, data };
    const fromNode = await rpc.send('eth_estimateGas', [call]).catch((error: unknown) => error);
    const fromEthers = await operator.sendTransaction({ to: call.to, data }).catch((error: unknown) => error);
    expect(fromNode).toBeInstanceOf(RpcError);
    const revert = {
      code: 'InsufficientFree',
      args: { tenant: expect.stringMatching(/^0x/), needed: (2n ** 31n * 1_000n).toString() },
    };
    for (const error of [fromNode, fromEthers, (fromNode as RpcError).data])
      expect(explainRevert(error)).toMatchObject(revert);
    const notOperator = { ...call, from: TENANT.address };
    const refused = await rpc.send('eth_estimateGas', [notOperator]).catch((error: unknown) => error);
    expect(explainRevert(refused).code).toBe('AccessControlUnauthorizedAccount');
    expect(explainRevert(new Error('socket hang up')).code).toBe('NotARevert');
  });

  it('are waited for to the end, also when the block comes between two looks', async () => {
    const impatient = chainProvider(anvil.rpcUrl, deployment.chainId);
    await rpc.send('evm_setAutomine', [false]);
    try {
      const sent = await new Wallet(devKey(30).privateKey, impatient).sendTransaction({
        to: devKey(30).address,
      });
      const ask = impatient.send.bind(impatient);
      // The receipt is asked for in vain; then, before the height is asked for, the block comes, and no other after it.
      impatient.send = async (method, params) => {
        const answer: unknown = await ask(method, params);
        if (method === 'eth_getTransactionReceipt' && answer === null) await rpc.send('evm_mine', []);
        return answer;
      };
      expect((await sent.wait())?.status).toBe(1);
    } finally {
      impatient.destroy();
      await rpc.send('evm_setAutomine', [true]);
    }
  });

  it('settle 256 leases of 16 providers for at most 6,500 gas each, the whole transaction counted', async () => {
    for (let id = 3; id <= 16; id += 1) {
      const owner = new Wallet(devKey(20 + id).privateKey, provider);
      await (
        await providerRegistry(deployment.contracts.ProviderRegistry, owner).register(
          owner.address,
          leaseRefOf('p'),
        )
      ).wait();
    }
    const keys: string[] = [];
    await rpc.send('evm_setAutomine', [false]);
    let nonce = await operator.getNonce();
    for (let id = 1; id <= 16; id += 1) {
      for (let serial = 1_000n; serial < 1_016n; serial += 1n) {
        const leaseKey = chainLeaseKey(id, serial);
        keys.push(leaseKey);
        const data = encodeOpenLease({
          leaseKey,
          tenant: TENANT.address,
          rateMicrosPerHour: 3_600_000n,
          durationSeconds: 86_400,
          leaseRef: leaseRefOf(leaseKey),
        });
        const to = deployment.contracts.ComputeMarket;
        await operator.sendTransaction({ to, data, nonce, gasLimit: 200_000n });
        nonce += 1;
      }
    }
    for (let i = 0; i < 3; i += 1) await rpc.send('evm_mine', []);
    await rpc.send('evm_setAutomine', [true]);
    await rpc.send('evm_increaseTime', [3_600]);
    await send(encodeSettleBatch(keys.map((leaseKey) => ({ leaseKey, cumulativeMicros: 1_234_567n }))));
    const receipt = await send(
      encodeSettleBatch(keys.map((leaseKey) => ({ leaseKey, cumulativeMicros: 2_345_678n }))),
    );
    const { log } = decoded(receipt.logs)[0]!;
    expect(log).toMatchObject({ name: 'LeasesSettled', skipped: [] });
    expect(log.name === 'LeasesSettled' && log.rows.length).toBe(256);
    const gasPerLease = Number(receipt.gasUsed) / 256;
    process.stdout.write(
      `gas per settled lease, batch of 256 over 16 providers: ${gasPerLease.toFixed(0)}\n`,
    );
    expect(gasPerLease).toBeLessThanOrEqual(6_500);
  }, 30_000);
});
