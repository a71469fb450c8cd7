// Looks at the contracts with Slither: node contracts/tools/slither.mjs
// Every finding is explained in contracts/slither-triage.json, or it fails; so does an explanation that nothing is found for.
// Slither reads the compiler's own output, in the form of a build info. It gets the syntax trees of the sources that are
// deployed; Foundry's build info names each package twice, by two paths, and Slither then misses most of what they inherit.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { requirePythonTools } from './python-tools.mjs';
import { CONTRACTS, contractsRoot, readSources, runSolc } from './solc-input.mjs';

const bin = requirePythonTools('slither');
const folder = new URL('cache/slither/', contractsRoot);
const NAMED = new Set(['function', 'variable', 'contract', 'event', 'struct']);
/** Check to `{ reason, places }`. */
const triage = JSON.parse(readFileSync(new URL('slither-triage.json', contractsRoot), 'utf8'));

/** The trees are the same however the code is optimised, and so are compiled the quick way. */
const settings = {
  optimizer: { enabled: false },
  evmVersion: 'cancun',
  outputSelection: {
    '*': {
      '*': ['abi', 'userdoc', 'devdoc', 'evm.bytecode', 'evm.deployedBytecode', 'evm.methodIdentifiers'],
      '': ['ast'],
    },
  },
};
/** Paths as they are from this folder, where Slither looks for the sources. */
const rooted = (text) => text.replaceAll('"@openzeppelin/', '"../node_modules/@openzeppelin/');
const output = runSolc(readSources(), settings);
const input = {
  language: 'Solidity',
  settings,
  sources: Object.fromEntries(Object.entries(readSources()).map(([path, content]) => [path, { content }])),
};
rmSync(folder, { recursive: true, force: true });
mkdirSync(new URL('build-info/', folder), { recursive: true });
const version = JSON.parse(
  readFileSync(new URL('../node_modules/solc/package.json', contractsRoot), 'utf8'),
).version;
writeFileSync(
  new URL('build-info/contracts.json', folder),
  rooted(
    JSON.stringify({
      _format: 'hh-sol-build-info-1',
      solcVersion: version,
      solcLongVersion: version,
      input,
      output,
    }),
  ),
);

const report = new URL('report.json', folder);
const { stderr, error } = spawnSync(
  `${bin}/slither`,
  [
    '.',
    ...['--compile-force-framework', 'foundry', '--ignore-compile'],
    ...['--foundry-out-directory', 'cache/slither'],
    ...['--filter-paths', 'node_modules/'],
    ...['--json', fileURLToPath(report)],
  ],
  { cwd: fileURLToPath(contractsRoot), encoding: 'utf8', maxBuffer: 64 * 2 ** 20 },
);
if (error) throw error;
const broken = stderr.split('\n').filter((line) => line.startsWith('ERROR:'));
let findings = [];
try {
  const { success, results } = JSON.parse(readFileSync(report, 'utf8'));
  if (success) findings = results.detectors ?? [];
  else broken.push(stderr);
} catch {
  broken.push(stderr);
}
const analysed = /analyzed \((\d+) contracts with (\d+) detectors\)/.exec(stderr);
if (broken.length > 0 || !analysed || Number(analysed[1]) < CONTRACTS.length) {
  process.stderr.write(`Slither could not read the contracts:\n${broken.join('\n') || stderr}\n`);
  process.stdout.write('slither: 0 passed, 1 failed\n');
  process.exit(1);
}

/** What is found, and where, without line numbers: those change with every comment. */
const nameOf = ({ check, elements }) => {
  const named = elements.find(({ type }) => NAMED.has(type));
  const { parent, signature } = named?.type_specific_fields ?? {};
  return `${check} ${parent?.name ? `${parent.name}.` : ''}${signature ?? named?.name ?? '?'}`;
};
const explained = new Set(
  Object.entries(triage).flatMap(([check, { places }]) => places.map((place) => `${check} ${place}`)),
);
const found = new Map();
for (const finding of findings) {
  const name = nameOf(finding);
  found.set(name, [...(found.get(name) ?? []), finding]);
}
const unexplained = [...found].filter(([name]) => !explained.has(name));
const gone = [...explained].filter((name) => !found.has(name));
for (const [name, [{ impact, description }]] of unexplained) {
  process.stderr.write(`${name} (${impact}) is not explained:\n${description}\n`);
}
for (const name of gone) {
  process.stderr.write(`${name}: explained in contracts/slither-triage.json, and no longer found\n`);
}
process.stdout.write(
  `${analysed[1]} contracts, ${analysed[2]} detectors, ${findings.length} findings under ${found.size} names\n`,
);
const failed = unexplained.length + gone.length;
process.stdout.write(`slither: ${found.size - unexplained.length} passed, ${failed} failed\n`);
process.exit(failed === 0 ? 0 : 1);
