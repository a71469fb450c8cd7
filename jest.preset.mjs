import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';

const swcrc = JSON.parse(readFileSync(new URL('./.swcrc', import.meta.url), 'utf8'));
delete swcrc.$schema;
delete swcrc.module; // @swc/jest picks es6 or commonjs by whether Jest runs the file as ESM

const base = (rootDir, tier) => ({
  rootDir,
  displayName: `${basename(rootDir)}:${tier}`,
  testMatch: [`<rootDir>/src/**/*.${tier}.spec.ts`, `<rootDir>/test/**/*.${tier}.spec.ts`],
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@gridbourse/source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  moduleFileExtensions: ['ts', 'js', 'mjs', 'json', 'node'],
  transform: { '^.+\\.ts$': ['@swc/jest', { ...swcrc, swcrc: false, configFile: false }] },
  setupFiles: [new URL('./jest.setup.mjs', import.meta.url).pathname],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/dist-spec'],
});

const postgres = {
  globalSetup: new URL('./libs/testing/jest/global-setup.mjs', import.meta.url).pathname,
  globalTeardown: new URL('./libs/testing/jest/global-teardown.mjs', import.meta.url).pathname,
};

/**
 * unit: pure, milliseconds. int: Postgres, or another part that comes with npm. kafka, redis: that real server. cluster: the
 * system on all of them. e2e: the system on embedded parts, as processes of its own.
 * A tier is chosen by the suffix of the file: `fee.unit.spec.ts`.
 */
const setUp = { unit: {}, int: postgres, kafka: postgres, redis: {}, e2e: {}, cluster: {} };

/** The Jest projects of a package: a tier for each suffix that it has files of. */
export const tiers = (rootDir) =>
  Object.entries(setUp)
    .filter(([tier]) => globSync(`{src,test}/**/*.${tier}.spec.ts`, { cwd: rootDir }).length > 0)
    .map(([tier, more]) => ({ ...base(rootDir, tier), ...more }));
