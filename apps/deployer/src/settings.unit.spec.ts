import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readSettings } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'gridbourse-settings-'));
const file = join(folder, 'roles.json');
const account = (digit: string) => `0x${digit.repeat(40)}`;
const ROLES = {
  operator: [account('1'), account('2')],
  pauser: [account('3')],
  tierSetter: [account('4')],
  suspender: [account('5')],
  slasher: [account('6')],
  disputer: [account('7')],
  rewardPoster: [account('8')],
  upgradeProposer: [account('9')],
  upgradeCanceller: [account('a')],
  treasury: account('b'),
  admin: account('c'),
};
const KEY = { GRIDBOURSE_DEPLOYER_KEY: `0x${'12'.repeat(32)}` };
const ONE = ['--profile', 'arbitrum-one', '--rpc-url', 'https://arb.example', '--roles', file];

describe('what npm run deploy is told', () => {
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const withRoles = (roles: unknown) => {
    writeFileSync(file, JSON.stringify(roles));
    return () => readSettings(ONE, KEY);
  };
  const refusal = (code: string, pointer?: string) =>
    expect.objectContaining({
      code,
      ...(pointer === undefined ? {} : { faults: [expect.objectContaining({ pointer })] }),
    });

  it('needs nothing for a local chain', () => {
    expect(readSettings(['--profile', 'local', '--dry-run'], {})).toMatchObject({
      profile: { chainId: 31_337 },
      rpcUrl: 'http://127.0.0.1:8545',
      out: 'libs/chain/deployments/local.json',
      dryRun: true,
    });
  });

  it('needs everything for a real one', () => {
    expect(withRoles(ROLES)()).toMatchObject({
      profile: { chainId: 42_161, separateRoles: true },
      roles: ROLES,
      dryRun: false,
    });
    const refused: [readonly string[], Record<string, string>][] = [
      [ONE, {}],
      [ONE, { GRIDBOURSE_DEPLOYER_KEY: '0x12' }],
      [ONE.slice(0, 4), KEY],
      [ONE.filter((argument) => !argument.includes('arb.example') && argument !== '--rpc-url'), KEY],
      [[...ONE, '--max-fee-gwei', 'much'], KEY],
      [[...ONE, '--verbose'], KEY],
      [[], KEY],
    ];
    for (const [args, environment] of refused) {
      expect(() => readSettings(args, environment)).toThrow(refusal('invalid_arguments'));
    }
    expect(() => readSettings(['--profile', 'mainnet'], KEY)).toThrow(refusal('unknown_profile'));
  });

  it('says which role is not as it should be', () => {
    const { slasher, ...others } = ROLES;
    expect(slasher).toHaveLength(1);
    expect(withRoles(others)).toThrow(refusal('invalid_roles', '/slasher'));
    expect(withRoles({ ...ROLES, pauser: [] })).toThrow(refusal('invalid_roles', '/pauser'));
    expect(withRoles({ ...ROLES, treasury: account('0') })).toThrow(refusal('invalid_roles', '/treasury'));
    expect(withRoles({ ...ROLES, operator: ['me'] })).toThrow(refusal('invalid_roles', '/operator/0'));
    expect(withRoles({ ...ROLES, matcher: [account('d')] })).toThrow(refusal('invalid_roles', '/'));
    rmSync(file);
    expect(() => readSettings(ONE, KEY)).toThrow(refusal('invalid_roles'));
  });
});
