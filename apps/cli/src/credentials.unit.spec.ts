import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findCredentials, saveCredentials } from './credentials.ts';

const ORIGIN = 'http://127.0.0.1:8080';
const NAMES = ['XDG_CONFIG_HOME', 'GRIDBOURSE_DATA_DIR', 'GRIDBOURSE_API_KEY', 'GRIDBOURSE_ORIGIN'] as const;
const tokensOf = (accountId: string) => ({ accountId, accessToken: 'a', refreshToken: 'r' }) as never;

describe('credentials', () => {
  const before = new Map(NAMES.map((name) => [name, process.env[name]]));
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'gridbourse-cli-'));
    for (const name of NAMES) delete process.env[name];
    process.env['XDG_CONFIG_HOME'] = join(folder, 'config');
    process.env['GRIDBOURSE_DATA_DIR'] = folder;
  });
  afterEach(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    rmSync(folder, { recursive: true });
  });

  const platformHere = (accountId: string, origin = ORIGIN): void =>
    writeFileSync(
      join(folder, 'demo-tenant.json'),
      JSON.stringify({ origin, apiKey: 'its key', privateKey: 'its wallet', wallet: '0x', accountId }),
    );

  it('are those of the platform that GRIDBOURSE_DATA_DIR names, though a login to another is saved', () => {
    platformHere('here');
    saveCredentials({ origin: ORIGIN, tokens: tokensOf('of another platform') });
    expect(findCredentials({})).toEqual({ origin: ORIGIN, apiKey: 'its key', privateKey: 'its wallet' });
    saveCredentials({ origin: ORIGIN, tokens: tokensOf('here') });
    expect(findCredentials({})).toMatchObject({ tokens: { accountId: 'here' }, privateKey: 'its wallet' });
  });

  it('are the saved login where no platform of that origin is here', () => {
    platformHere('here');
    saveCredentials({ origin: 'https://elsewhere.example', tokens: tokensOf('there') });
    expect(findCredentials({ origin: 'https://elsewhere.example' })).toEqual({
      origin: 'https://elsewhere.example',
      tokens: tokensOf('there'),
    });
    rmSync(join(folder, 'demo-tenant.json'));
    expect(findCredentials({})).toMatchObject({ origin: 'https://elsewhere.example' });
  });

  it('are an API key that is given, before all others', () => {
    platformHere('here');
    saveCredentials({ origin: ORIGIN, tokens: tokensOf('here') });
    expect(findCredentials({ apiKey: 'given' })).toEqual({ origin: ORIGIN, apiKey: 'given' });
    expect(() => findCredentials({ origin: 'https://nowhere.example' })).toThrow('gridbourse login');
    expect(findCredentials({ origin: 'https://nowhere.example', anonymous: true })).toEqual({
      origin: 'https://nowhere.example',
    });
  });
});
