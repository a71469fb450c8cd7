// Proves what test/symbolic states, for all inputs: node contracts/tools/symbolic.mjs [part of a name]
// halmos runs the bytecode that is deployed anywhere else with symbols in place of numbers, and asks a solver (yices) for
// inputs that break an assertion. A proof (check_…) holds when there are none on any path; a witness (witness_…) must be
// broken: it shows that the proofs' assumptions can be met, and that what they speak of can happen.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { requireForge } from './forge.mjs';
import { requirePythonTools } from './python-tools.mjs';
import { compileOnce, contractsRoot } from './solc-input.mjs';

const PROVED = ['ComputeMarket', 'ProviderRegistry', 'GridbourseProxy'];
const SOLVER_TIMEOUT = '300s';
/** A panic of any kind in a proof's own arithmetic is a failure, too: halmos by itself looks for failed assertions only. */
const PANICS = '0x01,0x11,0x12,0x21,0x31,0x32';
const COUNTEREXAMPLE = 1;

const wanted = process.argv[2] ?? '';
const forge = requireForge();
const bin = requirePythonTools('symbolic');
const root = fileURLToPath(contractsRoot);
const out = new URL('cache/symbolic/out/', contractsRoot);
const environment = {
  ...process.env,
  FOUNDRY_PROFILE: 'symbolic',
  FOUNDRY_DISABLE_NIGHTLY_WARNING: '1',
  NO_COLOR: '1',
  PATH: [bin, dirname(forge), dirname(process.execPath), process.env.PATH].join(delimiter),
};
const fail = (text) => {
  process.stderr.write(`${text}\n`);
  process.exit(1);
};

const built = spawnSync(forge, ['build', '--ast', '--extra-output', 'storageLayout', 'metadata'], {
  cwd: root,
  encoding: 'utf8',
  env: environment,
});
if (built.status !== 0) fail(built.stdout + built.stderr);

for (const { name, bytecode } of compileOnce().filter((artifact) => PROVED.includes(artifact.name))) {
  const artifact = JSON.parse(readFileSync(new URL(`${name}.sol/${name}.json`, out), 'utf8'));
  if (artifact.bytecode.object !== bytecode) {
    fail(
      `what would be proved of ${name} is not the bytecode that is deployed: compare foundry.toml, solc-input.mjs`,
    );
  }
}

const folder = new URL('test/symbolic/', contractsRoot);
const stated = readdirSync(folder).flatMap((file) => {
  const text = readFileSync(new URL(file, folder), 'utf8');
  const contract = /^contract (\w+Proof) /m.exec(text)?.[1];
  return [...text.matchAll(/function ((?:check|witness)_\w+)/g)].map(([, name]) => ({ contract, name }));
});
const chosen = stated.filter(({ contract, name }) => `${contract}.${name}`.includes(wanted));
if (chosen.length === 0) fail(`nothing is stated that "${wanted}" is a part of`);

const report = new URL('cache/symbolic/report.json', contractsRoot);
mkdirSync(new URL('.', report), { recursive: true });

/** What halmos says of each of a contract's statements, by name. */
const run = (contract, names) => {
  rmSync(report, { force: true });
  const { stdout, stderr } = spawnSync(
    join(bin, 'halmos'),
    [
      ...['--contract', contract],
      ...['--function', `(${names.join('|')})\\(`],
      ...['--forge-build-out', 'cache/symbolic/out'],
      ...['--storage-layout', 'generic'],
      ...['--panic-error-codes', PANICS],
      ...['--solver', 'yices'],
      ...['--solver-timeout-assertion', SOLVER_TIMEOUT],
      ...['--json-output', fileURLToPath(report)],
      ...['--early-exit', '--no-status'],
    ],
    {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 * 2 ** 20,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  try {
    const { test_results: suites } = JSON.parse(readFileSync(report, 'utf8'));
    return new Map(
      Object.values(suites)
        .flat()
        .map((test) => [test.name.split('(')[0], test]),
    );
  } catch {
    return fail(`halmos gave no report:\n${stdout}${stderr}`);
  }
};

const judge = (contract, name, result) => {
  const isWitness = name.startsWith('witness_');
  // A path that was left out, or that the solver could not decide, is no proof.
  const holds = result?.exitcode === (isWitness ? COUNTEREXAMPLE : 0) && result.num_bounded_loops === 0;
  const verdict = isWitness ? (holds ? 'found' : 'NOT FOUND') : holds ? 'proved' : 'NOT PROVED';
  const seconds = result?.time?.[0]?.toFixed(1) ?? '?';
  const effort = result ? `${result.num_paths?.[0] ?? '?'} paths, ${seconds} s` : 'not run';
  process.stdout.write(`${verdict}: ${contract}.${name} (${effort})\n`);
  return holds;
};

let failed = 0;
for (const contract of new Set(chosen.map((one) => one.contract))) {
  const names = chosen.filter((one) => one.contract === contract).map(({ name }) => name);
  const results = run(contract, names);
  failed += names.filter((name) => !judge(contract, name, results.get(name))).length;
}
process.stdout.write(`symbolic: ${chosen.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
