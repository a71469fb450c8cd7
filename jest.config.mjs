import { globSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { tiers } from './jest.preset.mjs';

export default {
  projects: globSync(['{libs,services,apps}/*/jest.config.mjs', 'bench/jest.config.mjs'], {
    cwd: import.meta.dirname,
  })
    .sort()
    .flatMap((file) => tiers(resolve(import.meta.dirname, dirname(file)))),
  collectCoverageFrom: ['{libs,services,apps}/*/src/**/*.ts', '!**/*.spec.ts', '!**/gen/**', '!**/dist/**'],
  coverageProvider: 'v8',
};
