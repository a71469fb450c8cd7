import { describe, expect, it } from '@jest/globals';
import { billingConfig } from './billing.config.ts';

const address = `0x${'a'.repeat(40)}`;
const valid = {
  databaseUrl: 'postgres://u:p@127.0.0.1:1/billing',
  bus: { adapter: 'embedded', url: 'postgres://u:p@127.0.0.1:1/bus' },
  jwksUrl: 'http://127.0.0.1:1/jwks.json',
  publicOrigin: 'http://127.0.0.1:1',
  rpcUrl: 'http://127.0.0.1:2',
  publicRpcUrl: 'http://127.0.0.1:3',
  deployment: {
    chainId: 1,
    deployBlock: 0,
    contracts: { ComputeMarket: address, ProviderRegistry: address, TestUSDC: address },
  },
  operatorKeys: [`0x${'1'.repeat(64)}`],
};
const faultsOf = (change: object): string[] =>
  billingConfig.safeParse({ ...valid, ...change }).error?.issues.map((issue) => issue.path.join('.')) ?? [];

describe('the configuration', () => {
  it('needs no more than where things are', () => expect(faultsOf({})).toEqual([]));

  it('is refused with all its problems at once', () => {
    const change = { rpcUrl: 'here', operatorKeys: ['0x1'], settleBatchSize: 257 };
    expect(faultsOf(change)).toEqual(['rpcUrl', 'operatorKeys.0', 'settleBatchSize']);
  });

  it('leaves connections for everything else beside the signers', () => {
    const operatorKeys = Array.from({ length: 5 }, () => valid.operatorKeys[0]);
    expect(faultsOf({ operatorKeys, databasePool: 10 })).toEqual(['databasePool']);
    expect(faultsOf({ operatorKeys, databasePool: 11 })).toEqual([]);
  });
});
