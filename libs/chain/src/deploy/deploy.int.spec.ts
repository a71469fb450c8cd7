// Real: anvil, the contracts. Broken on purpose: the line to the node.
import { type Anvil, devKey, startAnvil } from '@gridbourse/infra';
import { transactionsOf } from '@gridbourse/testing';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Wallet } from 'ethers';
import { CutLine } from '../../test/cut-line.ts';
import { chainProvider } from '../chain-provider.ts';
import { computeMarket, upgradeTimelock } from '../contracts.ts';
import { HttpRpc } from '../json-rpc.ts';
import { CREATE2_FACTORY } from './code.ts';
import { type DeployRequest, deployContracts, deployPlan, prepareDeployment } from './deploy.ts';
import { grantMissingRoles } from './grant-roles.ts';
import { planDeployment } from './plan.ts';
import { ANYONE, type DeployRoles, roleOf } from './roles.ts';

jest.setTimeout(120_000);

const DEPLOYER = devKey(0);
const account = (index: number) => devKey(index).address;
const ROLES: DeployRoles = {
  operator: [account(1), account(2)],
  pauser: [account(3)],
  tierSetter: [account(4)],
  suspender: [account(5)],
  slasher: [account(6)],
  disputer: [account(7)],
  rewardPoster: [account(8)],
  upgradeProposer: [account(9)],
  upgradeExecutor: [account(10)],
  upgradeCanceller: [account(11)],
  treasury: account(12),
  admin: account(13),
};
const STRANGER = account(20);

describe('a deployment', () => {
  let anvil: Anvil;
  let rpc: HttpRpc;
  let request: DeployRequest;

  beforeEach(async () => {
    anvil = await startAnvil();
    rpc = new HttpRpc(anvil.rpcUrl);
    request = { rpcUrl: anvil.rpcUrl, deployerKey: DEPLOYER.privateKey, roles: ROLES };
  });
  afterEach(() => anvil.stop());

  const refused = (changes: Partial<DeployRequest>) =>
    deployContracts({ ...request, ...changes }).then(
      () => 'accepted',
      (error: { code: string }) => error.code,
    );

  it('goes on where it was cut off, at whichever transaction, and sends none twice', async () => {
    const { steps } = await prepareDeployment(request);
    const line = await CutLine.to(anvil.rpcUrl);
    try {
      let runs = 0;
      let done = false;
      while (!done && runs <= 2 * steps.length + 2) {
        runs += 1;
        let sent = 0;
        line.fate = (body) => {
          if (!body.includes('eth_sendRawTransaction')) return 'pass';
          sent += 1;
          // Each run gets one transaction through; the next is lost, or its answer is.
          if (sent === 1) return runs % 2 === 0 ? 'lose the answer' : 'pass';
          return 'lose the request';
        };
        done = await deployContracts({ ...request, rpcUrl: line.url }).then(
          () => true,
          (error: { code: string }) => {
            expect(error.code).toBe('deployment_failed');
            return false;
          },
        );
      }
      expect(done).toBe(true);
      expect(runs).toBeGreaterThanOrEqual(steps.length);
      const sent = await transactionsOf(anvil.rpcUrl, DEPLOYER.address);
      expect(sent.every(({ succeeded }) => succeeded)).toBe(true);
      expect(sent.map(({ to, data }) => ({ to, data }))).toEqual(steps.map(({ to, data }) => ({ to, data })));
    } finally {
      await line.close();
    }
  });

  it('gives each role to its key, and leaves the deployer none', async () => {
    const { contracts } = await deployContracts(request);
    const provider = chainProvider(anvil.rpcUrl, 31_337);
    try {
      const market = computeMarket(contracts.ComputeMarket, provider);
      const timelock = upgradeTimelock(contracts.UpgradeTimelock!, provider);
      const has = (role: Parameters<typeof roleOf>[0], index: number) =>
        timelock.hasRole(roleOf(role), account(index));
      expect(await market.hasRole(roleOf('OPERATOR_ROLE'), account(2))).toBe(true);
      expect(await market.hasRole(await market.DEFAULT_ADMIN_ROLE(), DEPLOYER.address)).toBe(false);
      expect(await has('PROPOSER_ROLE', 9)).toBe(true);
      expect(await has('EXECUTOR_ROLE', 10)).toBe(true);
      expect(await timelock.hasRole(roleOf('EXECUTOR_ROLE'), ANYONE)).toBe(false);
      expect(await has('CANCELLER_ROLE', 11)).toBe(true);
      expect(await has('PROPOSER_ROLE', 11)).toBe(false);
      expect(await has('PROPOSER_ROLE', 0)).toBe(false);
    } finally {
      provider.destroy();
    }
    expect(await prepareDeployment(request)).toMatchObject({ steps: [], costWei: 0n });
  });

  it('refuses another chain, an empty purse, dear gas, and roles that share a key', async () => {
    expect(await refused({ chainId: 42_161 })).toBe('wrong_chain');
    expect(await refused({ deployerKey: devKey(500).privateKey })).toBe('insufficient_balance');
    expect(await refused({ maxFeeGwei: 0.001 })).toBe('gas_too_dear');
    const shared = { ...ROLES, slasher: [account(1)] };
    expect(await refused({ roles: shared, separateRoles: true })).toBe('roles_not_separate');
    expect(await refused({ roles: { operator: [account(1)] }, separateRoles: true })).toBe(
      'roles_not_separate',
    );
    expect(await refused({ params: { token: STRANGER } })).toBe('unusable_token');
    expect(await transactionsOf(anvil.rpcUrl, DEPLOYER.address)).toEqual([]);
  });

  it('costs no more than it says before, and no more a unit than it may', async () => {
    const { costWei, balanceWei } = await prepareDeployment(request);
    await deployContracts({ ...request, maxFeeGwei: 2.5 });
    const left = BigInt((await rpc.send('eth_getBalance', [DEPLOYER.address, 'latest'])) as string);
    expect(balanceWei - left).toBeLessThanOrEqual(costWei);
    const { maxFeePerGas } = (await rpc.send('eth_getTransactionBySenderAndNonce', [
      DEPLOYER.address,
      '0x0',
    ])) as { maxFeePerGas: string };
    expect(BigInt(maxFeePerGas)).toBe(2_500_000_000n);
  });

  it('refuses code that is not its own, at a planned address and at the factory', async () => {
    const plan = planDeployment({ chainId: 31_337, deployer: DEPLOYER.address, roles: ROLES });
    for (const { address } of [...plan.deployables, { address: CREATE2_FACTORY }]) {
      const code = await rpc.send('eth_getCode', [address, 'latest']);
      await rpc.send('anvil_setCode', [address, '0x6001600055']);
      expect(await refused({})).toBe('foreign_code');
      await rpc.send('anvil_setCode', [address, code]);
    }
    expect(await transactionsOf(anvil.rpcUrl, DEPLOYER.address)).toEqual([]);
    await rpc.send('anvil_setCode', [CREATE2_FACTORY, '0x']);
    expect(await refused({})).toBe('no_create2_factory');
  });

  it('notices afterwards whatever is not as it was made', async () => {
    const { plan, deployment } = await deployPlan(request);
    const { ComputeMarket, ProviderRegistry } = deployment.contracts;
    const slot = '0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc';
    const implementation = await rpc.send('eth_getStorageAt', [ComputeMarket, slot, 'latest']);
    await rpc.send('anvil_setStorageAt', [ComputeMarket, slot, `0x${'0'.repeat(24)}${STRANGER.slice(2)}`]);
    expect(await refused({})).toBe('unexpected_implementation');
    await rpc.send('anvil_setStorageAt', [ComputeMarket, slot, implementation]);

    const last = plan.implementations.ProviderRegistry;
    const code = (await rpc.send('eth_getCode', [last, 'latest'])) as string;
    const changed = `${code.slice(0, -2)}${code.endsWith('00') ? '01' : '00'}`;
    await rpc.send('anvil_setCode', [last, changed]);
    expect(await refused({})).toBe('foreign_code');
    await rpc.send('anvil_setCode', [last, code]);
    expect(await refused({})).toBe('accepted');

    const provider = chainProvider(anvil.rpcUrl, 31_337);
    try {
      const market = computeMarket(ComputeMarket, new Wallet(devKey(13).privateKey, provider));
      await (await market.grantRole(roleOf('OPERATOR_ROLE'), STRANGER)).wait();
      expect(await refused({})).toBe('unexpected_role');
      await (await market.revokeRole(roleOf('OPERATOR_ROLE'), STRANGER)).wait();
      expect(await refused({})).toBe('accepted');
      await (await market.revokeRole(roleOf('OPERATOR_ROLE'), account(1))).wait();
      expect(await refused({})).toBe('missing_role');
      await (await market.grantRole(roleOf('OPERATOR_ROLE'), account(1))).wait();
    } finally {
      provider.destroy();
    }
    // The registry keeps its treasury beside its ids, in the second slot.
    const word = (await rpc.send('eth_getStorageAt', [ProviderRegistry, '0x1', 'latest'])) as string;
    const other = word.replace(account(12).slice(2), STRANGER.slice(2));
    await rpc.send('anvil_setStorageAt', [ProviderRegistry, `0x${'1'.padStart(64, '0')}`, other]);
    expect(await refused({})).toBe('wrong_term');
  });

  it('waits for what an earlier run has sent, and does not send it again', async () => {
    await rpc.send('evm_setAutomine', [false]);
    const provider = chainProvider(anvil.rpcUrl, 31_337);
    const line = await CutLine.to(anvil.rpcUrl);
    try {
      const { steps } = await prepareDeployment(request);
      const [first] = steps;
      await new Wallet(DEPLOYER.privateKey, provider).sendTransaction({ to: first!.to, data: first!.data });
      // Mined only once somebody has asked whether anything pends.
      let mined: Promise<unknown> | undefined;
      line.fate = (body) => {
        if (body.includes('eth_getTransactionCount') && body.includes('pending')) {
          mined ??= rpc.send('evm_mine', []);
        }
        return 'pass';
      };
      const rest = await prepareDeployment({ ...request, rpcUrl: line.url });
      expect(mined).toBeDefined();
      expect(rest.steps).toEqual(steps.slice(1));
    } finally {
      await line.close();
      provider.destroy();
    }
  });

  it('of an earlier release gets the roles that have come since, once', async () => {
    const local = { ...request, roles: { operator: ROLES.operator } };
    const deployment = await deployContracts(local);
    const { LivenessRewards, ...older } = deployment.contracts;
    const roles = { ...ROLES, admin: DEPLOYER.address };
    const grant = { rpcUrl: anvil.rpcUrl, adminKey: DEPLOYER.privateKey, roles };
    await grantMissingRoles({ ...grant, deployment: { ...deployment, contracts: older } });
    const before = (await transactionsOf(anvil.rpcUrl, DEPLOYER.address)).length;
    await grantMissingRoles({ ...grant, deployment: { ...deployment, contracts: older } });
    expect(await transactionsOf(anvil.rpcUrl, DEPLOYER.address)).toHaveLength(before);
    await grantMissingRoles({ ...grant, deployment });
    expect(
      (await transactionsOf(anvil.rpcUrl, DEPLOYER.address))
        .slice(before)
        .every(({ to }) => to === LivenessRewards),
    ).toBe(true);
  });
});
