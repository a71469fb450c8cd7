// node tools/test.mjs [unit|int|kafka|redis|rules|contracts|e2e|cluster …] [paths …] [--jest=arguments …]
// Runs every tier, or those named, and ends with one line: "N passed, N failed". A tier whose real component cannot be had
// on this machine is named in a line "NOT RUN: …"; with CI=true that is a failure.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingFor } from './tier-needs.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const TIERS = ['unit', 'int', 'kafka', 'redis', 'rules', 'contracts', 'e2e', 'cluster'];
const named = process.argv.slice(2).filter((argument) => TIERS.includes(argument));
const rest = process.argv.slice(2).filter((argument) => !TIERS.includes(argument));
/** A path (or part of one) narrows the tier down: Jest alone would take it as one more pattern, and run both. */
const paths = rest.filter(
  (argument, index) => !argument.startsWith('-') && !/^-[a-z]$|^--[^=]+$/.test(rest[index - 1] ?? ''),
);
const jestArguments = rest.filter((argument) => !paths.includes(argument));
/** Files of other tiers match nothing. */
const patternOf = (tier, path) => {
  if (!path.endsWith('.ts')) return `${path.replace(/\/$/, '')}.*\\.${tier}\\.spec\\.ts$`;
  return path.endsWith(`.${tier}.spec.ts`) ? path : '(?!)';
};
const patternsOf = (tier) => (paths.length > 0 ? paths : ['']).map((path) => patternOf(tier, path));
const tiers = named.length > 0 ? named : TIERS;
const total = { passed: 0, failed: 0 };
const notRun = [];

const reports = join(root, 'tmp', 'test-reports');
mkdirSync(reports, { recursive: true });

const runJest = (tier, extra) => {
  const report = join(reports, `${tier}.json`);
  rmSync(report, { force: true });
  console.error(`\n=== ${tier}`);
  const done = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(root, 'node_modules', 'jest', 'bin', 'jest.js'),
      '--config',
      join(root, 'jest.config.mjs'),
      '--testPathPatterns',
      ...patternsOf(tier),
      '--passWithNoTests',
      // A busy machine is no fault of a test; one that hangs is still found.
      '--testTimeout=30000',
      '--json',
      `--outputFile=${report}`,
      ...extra,
      ...jestArguments,
    ],
    {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, GRIDBOURSE_TEST_TIER: tier },
    },
  );
  if (!existsSync(report)) {
    console.error(`${tier}: no report was written (exit ${done.status ?? done.signal})`);
    total.failed += 1;
    return;
  }
  const result = JSON.parse(readFileSync(report, 'utf8'));
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests + result.numRuntimeErrorTestSuites;
  if (done.status !== 0 && result.success) total.failed += 1;
};

const runContracts = () => {
  console.error('\n=== contracts');
  const done = spawnSync(process.execPath, [join(root, 'contracts', 'tools', 'test.mjs')], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stderr.write(done.stdout ?? '');
  const counts = /(\d+) passed, (\d+) failed/.exec(done.stdout ?? '');
  if (!counts) {
    notRun.push('contracts: Foundry could not be started');
    total.failed += 1;
    return;
  }
  total.passed += Number(counts[1]);
  total.failed += Number(counts[2]);
  runSlither();
};

const runSlither = () => {
  const done = spawnSync(process.execPath, [join(root, 'contracts', 'tools', 'slither.mjs')], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stderr.write(done.stdout ?? '');
  const missing = /^NOT RUN: (.*)$/m.exec(done.stdout ?? '');
  const counts = /(\d+) passed, (\d+) failed/.exec(done.stdout ?? '');
  if (missing) notRun.push(`contracts: ${missing[1]}`);
  if (missing ? process.env.CI === 'true' : !counts) total.failed += 1;
  if (!counts) return;
  total.passed += Number(counts[1]);
  total.failed += Number(counts[2]);
};

/** The lint rules of the architecture, each broken on purpose. */
const runRules = () => {
  console.error('\n=== rules');
  const done = spawnSync(
    process.execPath,
    ['--test', '--test-reporter=tap', join(root, 'tools', 'eslint', 'rules.test.mjs')],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '' },
    },
  );
  const count = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(done.stdout ?? '')?.[1] ?? 0);
  if (done.status !== 0) process.stderr.write(done.stdout ?? '');
  total.passed += count('pass');
  total.failed += count('fail') + (done.status !== 0 && count('fail') === 0 ? 1 : 0);
};

/**
 * Files at a time, on two cores. Those of the e2e tier mostly wait for what they started; brokers and clusters have the machine
 * for themselves. More at a time, and the tests that crash things on purpose run into their deadlines.
 */
const FILES_AT_A_TIME = { unit: 2, int: 2, kafka: 1, redis: 2, e2e: 2, cluster: 1 };
/** Whole processes may have left a connection open that nobody waits for. */
const FORCED_TO_END = new Set(['kafka', 'e2e', 'cluster']);

for (const tier of tiers) {
  const missing = missingFor(tier);
  if (missing) {
    notRun.push(`${tier}: ${missing}`);
    if (process.env.CI === 'true') total.failed += 1;
  } else if (tier === 'contracts') runContracts();
  else if (tier === 'rules') runRules();
  else
    runJest(tier, [
      `--maxWorkers=${FILES_AT_A_TIME[tier]}`,
      ...(FORCED_TO_END.has(tier) ? ['--forceExit'] : []),
    ]);
}
for (const line of notRun) console.log(`NOT RUN: ${line}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 && total.passed > 0 ? 0 : 1);
