// Real: anvil, the contracts, a data folder.
import { computeMarket, deployContracts, type Deployment, providerRegistry } from '@gridbourse/chain';
import { type Anvil, type DataDir, openDataDir, startAnvil } from '@gridbourse/infra';
import { transactionsOf } from '@gridbourse/testing';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { id, JsonRpcProvider, Wallet } from 'ethers';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureContracts } from '../src/contracts.ts';
import { localDeployerKey, localRoles } from '../src/local-roles.ts';

const FILE = 'deployment.json';

describe('the contracts of a local platform', () => {
  let anvil: Anvil;
  let folder: string;
  let dir: DataDir;
  const deployer = new Wallet(localDeployerKey()).address.toLowerCase();
  const sent = async () => (await transactionsOf(anvil.rpcUrl, deployer)).length;
  const ensure = () => ensureContracts(dir, { url: anvil.rpcUrl });

  beforeEach(async () => {
    anvil = await startAnvil();
    folder = mkdtempSync(join(tmpdir(), 'gridbourse-contracts-'));
    dir = openDataDir(folder, 'jest');
  });
  afterEach(async () => {
    dir.release();
    rmSync(folder, { recursive: true, force: true });
    await anvil.stop();
  });

  it('are deployed at the first start, with every role on a key of its own, and found at the next', async () => {
    const deployment = await ensure();
    const roles = localRoles();
    const holders = [roles.operator, roles.pauser!, roles.tierSetter!, roles.suspender!, roles.slasher!];
    const others = [roles.disputer!, roles.rewardPoster!, roles.upgradeProposer!, roles.upgradeCanceller!];
    const accounts = [...holders, ...others].flat();
    expect(new Set([...accounts, roles.admin]).size).toBe(accounts.length + 1);
    const before = await sent();
    expect(await ensure()).toEqual(deployment);
    expect(await sent()).toBe(before);
  });

  it('of an earlier release stay where they are, and get the roles that have come since', async () => {
    const { operator, admin } = localRoles();
    const deployment = await deployContracts({
      rpcUrl: anvil.rpcUrl,
      deployerKey: localDeployerKey(),
      roles: { operator, admin: admin! },
    });
    const provider = new JsonRpcProvider(anvil.rpcUrl);
    try {
      const { hash } = (await provider.getBlock(deployment.deployBlock))!;
      dir.write(FILE, { deployment, deployBlockHash: hash });
      expect(await ensure()).toEqual(deployment);
      const { ComputeMarket, ProviderRegistry } = deployment.contracts;
      const registry = providerRegistry(ProviderRegistry, provider);
      const market = computeMarket(ComputeMarket, provider);
      expect(await registry.hasRole(id('SLASHER_ROLE'), localRoles().slasher![0]!)).toBe(true);
      expect(await market.hasRole(id('PAUSER_ROLE'), localRoles().pauser![0]!)).toBe(true);
    } finally {
      provider.destroy();
    }
    const before = await sent();
    expect(await ensure()).toEqual(deployment);
    expect(await sent()).toBe(before);
  });

  it('are not taken for those of another chain', async () => {
    const deployment = await ensure();
    const known = dir.read<{ deployment: Deployment; deployBlockHash: string }>(FILE)!;
    dir.write(FILE, { ...known, deployment, deployBlockHash: `0x${'00'.repeat(32)}` });
    await expect(ensure()).rejects.toThrow('is not the one that the database');
  });
});
