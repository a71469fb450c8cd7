// Every rule of architecture is broken once on purpose: a rule that lets its violation pass is a rule we do not have.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const NAME = 'rule-violation.generated-by-test.ts';

/** [what, folder of the file, its code, the rule that must object] */
const VIOLATIONS = [
  [
    'a service imports another service',
    'services/registry/src',
    "import { billingService } from '@gridbourse/billing';\nexport const used = billingService;\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'a service reaches into another by a relative path',
    'services/registry/src',
    "export * from '../../billing/src/index.ts';\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'a library imports a service',
    'libs/api/src',
    "import { registryService } from '@gridbourse/registry';\nexport const used = registryService;\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'a service imports test helpers',
    'services/billing/src',
    "import { eventually } from '@gridbourse/testing';\nexport const used = eventually;\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'a service starts databases and chains by itself',
    'services/billing/src',
    "import { startAnvil } from '@gridbourse/infra';\nexport const used = startAnvil;\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'what starts components knows a library above it',
    'libs/infra/src',
    "import { HttpRpc } from '@gridbourse/chain';\nexport const used = HttpRpc;\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'what surrounds a local platform imports a service',
    'libs/local-platform/src',
    "import { billingService } from '@gridbourse/billing';\nexport const used = billingService;\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'the kernel imports a library of ours',
    'libs/kernel/src',
    "import { topicOf } from '@gridbourse/events';\nexport const used = topicOf;\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'the kernel imports a framework',
    'libs/kernel/src',
    "import { Injectable } from '@nestjs/common';\nexport const used = Injectable;\n",
    '@nx/enforce-module-boundaries',
  ],
  [
    'a domain imports a driver',
    'services/billing/src/domain',
    "import { DataSource } from 'typeorm';\nexport const used = DataSource;\n",
    '@typescript-eslint/no-restricted-imports',
  ],
  [
    'a domain imports a node module',
    'services/billing/src/domain',
    "import { createHash } from 'node:crypto';\nexport const used = createHash;\n",
    '@typescript-eslint/no-restricted-imports',
  ],
  [
    'a domain imports an adapter',
    'services/billing/src/domain',
    "export * from '../adapters/anything.ts';\n",
    '@typescript-eslint/no-restricted-imports',
  ],
  [
    'a domain reads the clock',
    'services/billing/src/domain',
    'export const now = (): number => Date.now();\n',
    'no-restricted-globals',
  ],
  [
    'a domain draws lots',
    'services/billing/src/domain',
    'export const lot = (): number => Math.random();\n',
    'no-restricted-properties',
  ],
  [
    'an amount becomes a floating point number',
    'services/billing/src',
    'export const wrong = (paidMicros: bigint): number => Number(paidMicros);\n',
    'gridbourse/no-float-money',
  ],
  [
    'code writes to the console',
    'services/billing/src',
    "export const shout = (): void => console.log('x');\n",
    'no-console',
  ],
  [
    'a promise is left to itself',
    'services/billing/src',
    'const later = (): Promise<void> => Promise.resolve();\nexport const start = (): void => {\n  later();\n};\n',
    '@typescript-eslint/no-floating-promises',
  ],
];

const fileOf = (folder) => join(root, folder, NAME);
const clean = () => VIOLATIONS.forEach(([, folder]) => rmSync(fileOf(folder), { force: true }));

describe('lint rules', () => {
  before(() => {
    clean();
    // The boundary rule passes in silence where the project graph was never made.
    const graph = spawnSync('npx', ['nx', 'show', 'projects'], {
      cwd: root,
      env: { ...process.env, NX_DAEMON: 'false', NX_NO_CLOUD: 'true' },
    });
    assert.equal(graph.status, 0, String(graph.stderr));
  });
  after(clean);

  it('are the same where the whole tree is linted in one go', async () => {
    const whole = new ESLint({ cwd: root, overrideConfigFile: join(root, 'eslint.whole.config.mjs') });
    const byPackage = new ESLint({ cwd: root });
    for (const file of [
      'apps/cli/src/main.ts',
      'services/billing/src/domain/x.ts',
      'libs/kernel/src/x.unit.spec.ts',
    ]) {
      const [one, other] = [
        await whole.calculateConfigForFile(join(root, file)),
        await byPackage.calculateConfigForFile(join(root, file)),
      ];
      assert.deepEqual(one.rules, other.rules);
      assert.ok(Object.keys(one.rules).length > 40);
    }
  });

  for (const [what, folder, code, rule] of VIOLATIONS) {
    it(`object when ${what}`, async () => {
      mkdirSync(join(root, folder), { recursive: true });
      const file = fileOf(folder);
      writeFileSync(file, code);
      try {
        const [result] = await new ESLint({ cwd: root }).lintFiles([file]);
        const objecting = result.messages.map((message) => message.ruleId);
        assert.ok(
          objecting.includes(rule),
          `expected ${rule}, got ${JSON.stringify(result.messages.map((m) => [m.ruleId, m.message]))}`,
        );
      } finally {
        rmSync(file, { force: true });
      }
    });
  }
});
