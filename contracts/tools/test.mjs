// Tests the contracts: what is committed of them is what their sources give, their style holds, their tests pass under
// Foundry, and nothing has become dearer. Arguments are handed on to forge:
//   node contracts/tools/test.mjs --match-test gas -vvv
// With --deep first: the long campaigns (profile deep of foundry.toml), 100,000 sequences against the model, then slither.mjs
// and symbolic.mjs.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generate, generatedFolder } from './compile.mjs';
import { forgeTest, requireForge, writeBytecode } from './forge.mjs';
import { compareGas, forgetGas } from './gas-snapshot.mjs';
import { compareWithModel } from './model.mjs';
import { NOT_RUN } from './python-tools.mjs';
import { compileOnce, contractsRoot } from './solc-input.mjs';
import { checkLayout } from './storage-layout.mjs';

/** EIP-170: more code than this no chain takes. */
const MAX_CODE_BYTES = 24_576;
/** The same sequences each time, as with Foundry's own; another seed: contracts/tools/model.mjs. */
const MODEL_SEED = 0x67726964;
const MODEL_SEQUENCES = 2_000;
const MODEL_SEQUENCES_DEEP = 100_000;

const forge = requireForge();
const artifacts = compileOnce();
const deep = process.argv[2] === '--deep';
const forgeArguments = process.argv.slice(deep ? 3 : 2);
const problems = [];

for (const [file, text] of Object.entries(generate(artifacts))) {
  if (readFileSync(new URL(file, generatedFolder), 'utf8') === text) continue;
  problems.push(`libs/chain/src/generated/${file} is out of date: run npm run contracts`);
}
for (const { name, deployedBytes } of artifacts) {
  if (deployedBytes > MAX_CODE_BYTES)
    problems.push(`${name} has ${deployedBytes} bytes, and 24,576 is the limit`);
}
problems.push(...checkLayout(artifacts));

const solhint = join(dirname(createRequire(import.meta.url).resolve('solhint/package.json')), 'solhint.js');
const linted = spawnSync(process.execPath, [solhint, '--max-warnings', '0', '--disc', 'src/**/*.sol'], {
  cwd: fileURLToPath(contractsRoot),
  encoding: 'utf8',
});
if (linted.status !== 0) problems.push(`solhint:\n${linted.stdout}${linted.stderr}`);

// The tests deploy this, the very bytecode that is deployed anywhere else.
writeBytecode('bytecode', artifacts);
forgetGas();
const { status, error, stdout } = forgeTest(forge, forgeArguments, {
  env: deep ? { FOUNDRY_PROFILE: 'deep' } : {},
});
if (error) throw error;
process.stdout.write(stdout);

const gas = compareGas();
// A part of the tests measures a part of the gas: what is missing says nothing then.
const risen = (gas?.risen ?? []).filter((line) => forgeArguments.length === 0 || line.includes('was'));
problems.push(...risen.map((line) => `gas has risen: ${line}`));
if (forgeArguments.length === 0 && gas === null) problems.push('no gas was measured');
for (const line of gas?.fallen ?? []) {
  process.stdout.write(`gas has fallen: ${line} (node contracts/tools/gas-snapshot.mjs writes it down)\n`);
}

// Arguments choose among Foundry's tests.
let agreed = 0;
if (forgeArguments.length === 0) {
  const sequences = deep ? MODEL_SEQUENCES_DEEP : MODEL_SEQUENCES;
  const model = compareWithModel([`--sequences=${sequences}`, `--seed=${MODEL_SEED}`]);
  if (model.error) throw model.error;
  process.stdout.write(model.stdout);
  if (model.status === 0) agreed = 1;
  else if (model.stdout.includes('PARTED')) problems.push('the contracts do not do what the model says');
  else problems.push('the comparison with the model did not get through');
}

const checks = { passed: 0, notRun: 0 };
for (const tool of deep ? ['slither', 'symbolic'] : []) {
  const done = spawnSync(process.execPath, [fileURLToPath(new URL(`tools/${tool}.mjs`, contractsRoot))], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(done.stdout);
  if (done.status === NOT_RUN) checks.notRun += 1;
  else if (done.status === 0) checks.passed += Number(/(\d+) passed, 0 failed/.exec(done.stdout)?.[1] ?? 0);
  else problems.push(`${tool} has failed`);
}

for (const problem of problems) process.stderr.write(`${problem}\n`);
const counts = /(\d+) tests passed, (\d+) failed/.exec(stdout);
if (counts) {
  const passed = Number(counts[1]) + agreed + checks.passed;
  process.stdout.write(`contracts: ${passed} passed, ${Number(counts[2]) + problems.length} failed\n`);
}
// What could not be run has said so; where nothing may be left out, that is a failure.
if (checks.notRun > 0 && process.env.CI === 'true') process.exit(1);
process.exit(problems.length > 0 ? 1 : (status ?? 1));
