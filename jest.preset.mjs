import { readFileSync } from 'node:fs';
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
 * unit: pure, milliseconds. int: one real dependency. e2e: the system, as processes of its own.
 * A tier is chosen by the suffix of the file: `fee.unit.spec.ts`.
 */
export const tiers = (rootDir) => [
  base(rootDir, 'unit'),
  { ...base(rootDir, 'int'), ...postgres },
  base(rootDir, 'e2e'),
];
