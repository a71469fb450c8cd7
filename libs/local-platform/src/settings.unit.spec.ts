import { describe, expect, it } from '@jest/globals';
import { StartError } from '@gridbourse/infra';
import { readSettings } from './settings.ts';

describe('settings', () => {
  it('have defaults', () => {
    expect(readSettings({})).toMatchObject({
      ...{ port: 8080, grpcPort: 8081, chainPort: 8545, market: 'on', logLevel: 'info' },
      dataDir: expect.stringMatching(/\/\.gridbourse$/),
    });
    expect(readSettings({ GRIDBOURSE_PORT: '9000', GRIDBOURSE_DATA_DIR: '/a/../b' })).toMatchObject({
      port: 9_000,
      dataDir: '/b',
    });
  });

  it('are refused all at once, each by the name of its variable', () => {
    const wrong = { GRIDBOURSE_PORT: '99999', GRIDBOURSE_CHAIN_PORT: 'abc', GRIDBOURSE_MARKET: 'maybe' };
    expect(() => readSettings(wrong)).toThrow(StartError);
    for (const name of Object.keys(wrong)) expect(() => readSettings(wrong)).toThrow(`${name}: `);
  });
});
