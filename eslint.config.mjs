import nx from '@nx/eslint-plugin';
import { defineConfig } from 'eslint/config';
import { readdirSync } from 'node:fs';
import tseslint from 'typescript-eslint';
import gridbourse from './tools/eslint/index.mjs';

/** What pure code must not know. */
const frameworks = [
  '@nestjs/*',
  'typeorm',
  'pg',
  'redis',
  'kafkajs',
  'fastify',
  '@fastify/*',
  '@grpc/*',
  'ethers',
  'tiny-secp256k1',
  '@kubernetes/*',
  'rxjs',
  'pino',
];

const services = readdirSync(new URL('./services', import.meta.url));

export default defineConfig(
  {
    ignores: [
      '**/dist/**',
      '**/dist-spec/**',
      '**/gen/**',
      '**/generated/**',
      '**/coverage/**',
      '.nx/**',
      'contracts/**',
      'tmp/**',
    ],
  },
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    plugins: { '@nx': nx, gridbourse },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/no-explicit-any': 'error',
      'gridbourse/no-float-money': 'error',
      'no-console': 'error',
      '@nx/enforce-module-boundaries': [
        'error',
        {
          allow: [],
          enforceBuildableLibDependency: false,
          banTransitiveDependencies: false,
          depConstraints: [
            {
              sourceTag: 'type:kernel',
              onlyDependOnLibsWithTags: ['type:kernel'],
              bannedExternalImports: [...frameworks, 'zod'],
            },
            {
              sourceTag: 'type:contract',
              onlyDependOnLibsWithTags: ['type:kernel', 'type:contract'],
            },
            {
              sourceTag: 'type:platform',
              onlyDependOnLibsWithTags: ['type:kernel', 'type:contract', 'type:platform'],
            },
            { sourceTag: 'type:client', onlyDependOnLibsWithTags: ['type:kernel', 'type:contract'] },
            { sourceTag: 'type:infra', onlyDependOnLibsWithTags: ['type:kernel', 'type:infra'] },
            {
              sourceTag: 'type:local',
              onlyDependOnLibsWithTags: [
                'type:kernel',
                'type:contract',
                'type:platform',
                'type:client',
                'type:infra',
                'type:local',
              ],
            },
            {
              sourceTag: 'type:testing',
              onlyDependOnLibsWithTags: ['type:kernel', 'type:infra', 'type:client', 'type:testing'],
            },
            {
              sourceTag: 'type:service',
              onlyDependOnLibsWithTags: ['type:kernel', 'type:contract', 'type:platform'],
            },
            { sourceTag: 'type:app', onlyDependOnLibsWithTags: ['*'] },
            ...services.map((service) => ({
              sourceTag: `scope:${service}`,
              onlyDependOnLibsWithTags: [`scope:${service}`, 'scope:shared'],
            })),
          ],
        },
      ],
    },
  },
  {
    files: ['**/src/domain/**/*.ts', 'libs/kernel/src/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'Date', message: 'Pure code is told the time.' },
        { name: 'setTimeout', message: 'Pure code does not wait.' },
        { name: 'process', message: 'Pure code knows no process.' },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Pure code is handed its chance.' },
      ],
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: [...frameworks, 'node:*'],
              message: 'The domain knows no framework, driver or node module.',
            },
            {
              group: ['**/adapters/**', '**/features/**', '**/read-models/**'],
              message: 'Dependencies point inward: the domain imports only the domain.',
            },
          ],
        },
      ],
    },
  },
  {
    // The one place where real time and chance come in.
    files: ['libs/kernel/src/time.ts', 'libs/kernel/src/random.ts'],
    rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off' },
  },
  {
    // Boundaries hold for what ships; a test may reach for test helpers and for a neighbour.
    files: ['**/*.spec.ts', '**/test/**/*.ts'],
    rules: {
      '@nx/enforce-module-boundaries': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
);
