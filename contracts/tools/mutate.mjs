// Breaks the contracts in one way after the other (mutants.mjs) and shows that the tests notice each:
//   node contracts/tools/mutate.mjs [part of a file's name or of a title] [--shard=1/3] [--by-model]
// With --by-model: which of them the TypeScript model notices on random sequences, without any test of Foundry's.
// Mutants are compiled the quick way; first, the tests have to pass on unbroken contracts that are compiled so too.
import { forgeTest, requireForge, writeBytecode } from './forge.mjs';
import { compareWithModel } from './model.mjs';
import { MUTANTS } from './mutants.mjs';
import { CONTRACTS, readSources, runSolc } from './solc-input.mjs';
import { SURVIVORS } from './survivors.mjs';

const FUZZ_RUNS = '24';
const MODEL_ARGUMENTS = ['--sequences=1000', '--seed=1', '--no-minimise'];
const TIMEOUT_MS = 300_000;
const quick = {
  optimizer: { enabled: false },
  evmVersion: 'cancun',
  outputSelection: { '*': { '*': ['evm.bytecode.object'] } },
};

const wanted = process.argv.slice(2).find((argument) => !argument.startsWith('--')) ?? '';
/** Several processes can share the work; each has a folder of its own. */
const [shard, shards] = (/--shard=(\d+)\/(\d+)/.exec(process.argv.join(' ')) ?? ['', '1', '1'])
  .slice(1)
  .map(Number);
const folder = `mutant-${shard}`;

const byModel = process.argv.includes('--by-model');

const forge = requireForge();
const sources = readSources();

const compile = (texts, names) => {
  const roots = Object.fromEntries(names.map((name) => [`src/${name}.sol`, texts[`src/${name}.sol`]]));
  const { contracts } = runSolc(roots, quick, texts, ['info', 'warning']);
  return names.map((name) => ({
    name,
    bytecode: `0x${contracts[`src/${name}.sol`][name].evm.bytecode.object}`,
  }));
};

/** The model's verdict on the bytecode in the shard's folder: null when they agree, else the first difference. */
const modelVerdict = () => {
  const { stdout, status, error } = compareWithModel(MODEL_ARGUMENTS, {
    GRIDBOURSE_BYTECODE: `cache/${folder}`,
  });
  if (error) throw error;
  if (status === 0) return null;
  const told = /^ {2}(\S.*)\n {4}model: +(.*)\n {4}contracts: (.*)$/m.exec(stdout);
  if (!told) throw new Error(`the comparison did not get through:\n${stdout.slice(-2_000)}`);
  return `${told[1]}: ${told[2].slice(0, 120)} | ${told[3].slice(0, 120)}`;
};

/** The tests' verdict: null when all pass, else the first that does not. */
const testsVerdict = (tests) => {
  const { stdout, status, error } = forgeTest(
    forge,
    ['--match-contract', `^(${tests})Test$`, '--no-match-test', 'gas', '--fail-fast'],
    { env: { GRIDBOURSE_BYTECODE: `cache/${folder}`, FOUNDRY_FUZZ_RUNS: FUZZ_RUNS }, timeoutMs: TIMEOUT_MS },
  );
  if (error) throw error;
  if (status === 0 && /\d+ tests passed, 0 failed/.test(stdout)) return null;
  const failed = /^\[FAIL[^\n]*\] (\w+)\(/m.exec(stdout);
  if (!failed) throw new Error(`Foundry did not get to the tests:\n${stdout.slice(-2_000)}`);
  return failed[1];
};

const verdict = byModel ? modelVerdict : testsVerdict;

const occurrence = (text, { from, nth, title, file }) => {
  const places = [];
  for (let at = text.indexOf(from); at >= 0; at = text.indexOf(from, at + 1)) places.push(at);
  if (nth === undefined ? places.length !== 1 : places.length < nth) {
    throw new Error(`${file}: "${title}" finds its place ${places.length} times`);
  }
  return places[(nth ?? 1) - 1];
};

const mutated = (mutant) => {
  const path = `src/${mutant.file}`;
  const at = occurrence(sources[path], mutant);
  const text = sources[path].slice(0, at) + mutant.to + sources[path].slice(at + mutant.from.length);
  return { ...sources, [path]: text };
};

const chosen = MUTANTS.filter(({ file, title }) => `${file} ${title}`.includes(wanted)).filter(
  (_, index) => index % shards === shard - 1,
);
for (const mutant of MUTANTS) mutated(mutant);

const whole = compile(sources, CONTRACTS);
writeBytecode(folder, whole);
const broken = verdict([...new Set(chosen.flatMap(({ tests }) => tests.split('|')))].join('|'));
if (broken) {
  process.stderr.write(`${broken} fails on unbroken contracts\n`);
  process.exit(1);
}

const survivors = [];
for (const [index, mutant] of chosen.entries()) {
  writeBytecode(folder, compile(mutated(mutant), mutant.contracts));
  const killer = verdict(mutant.tests);
  writeBytecode(
    folder,
    whole.filter(({ name }) => mutant.contracts.includes(name)),
  );
  const name = `${mutant.file}: ${mutant.title}`;
  if (killer === null) survivors.push(name);
  process.stdout.write(`${index + 1}/${chosen.length} ${name}: ${killer ?? 'SURVIVED'}\n`);
}
// What the model does not notice is left to the tests: only they have to explain.
const unexplained = byModel ? [] : survivors.filter((name) => SURVIVORS[name] === undefined);
for (const name of survivors)
  process.stdout.write(
    `survivor: ${name}: ${SURVIVORS[name] ?? (byModel ? 'left to the tests' : 'NOT EXPLAINED')}\n`,
  );
process.stdout.write(
  `mutants: ${chosen.length - survivors.length} of ${chosen.length} noticed, ${unexplained.length} survivors unexplained\n`,
);
process.exit(unexplained.length === 0 ? 0 : 1);
