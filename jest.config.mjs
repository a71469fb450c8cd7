import { globSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { tiers } from './jest.preset.mjs';

/** Set by tools/test.mjs, which runs tier by tier. */
const onlyTier = process.env.GRIDBOURSE_TEST_TIER;

export default {
  // A tier of which no file fits has no project: each costs a crawl of its folder.
  projects: globSync(['{libs,services,apps}/*/jest.config.mjs', 'bench/jest.config.mjs'], {
    cwd: import.meta.dirname,
  })
    .sort()
    .flatMap((file) => tiers(resolve(import.meta.dirname, dirname(file))))
    .filter(({ displayName }) => !onlyTier || displayName.endsWith(`:${onlyTier}`)),
  collectCoverageFrom: ['{libs,services,apps}/*/src/**/*.ts', '!**/*.spec.ts', '!**/gen/**', '!**/dist/**'],
  coverageProvider: 'v8',
};
