import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const contractsRoot = new URL('../', import.meta.url);

const IGNORED = new Set(['2394', '3860', '5574']);

/** Everything that is deployed. */
export const CONTRACTS = [
  'TestUSDC',
  'UpgradeTimelock',
  'GridbourseProxy',
  'ProviderRegistry',
  'ComputeMarket',
  'LivenessRewards',
];

/** How everything that is deployed is compiled. */
export const settings = {
  optimizer: { enabled: true, runs: 1_000_000 },
  viaIR: true,
  evmVersion: 'cancun',
  // No hash of the sources behind the code: the same code whatever the comments and paths are.
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: {
    '*': {
      '*': [
        'abi',
        'userdoc',
        'devdoc',
        'evm.bytecode.object',
        'evm.deployedBytecode.object',
        'evm.deployedBytecode.immutableReferences',
        'storageLayout',
      ],
      // Only the syntax tree knows the immutables' names.
      '': ['ast'],
    },
  },
};

const readImport = (path) => {
  try {
    const file = path.startsWith('@') ? require.resolve(path) : new URL(path, contractsRoot);
    return { contents: readFileSync(file, 'utf8') };
  } catch (error) {
    return { error: String(error) };
  }
};

/** What of a contract's own sources is compiled: path to text. */
export const readSources = () =>
  Object.fromEntries(
    readdirSync(new URL('src/', contractsRoot))
      .filter((file) => file.endsWith('.sol'))
      .sort()
      .map((file) => [`src/${file}`, readFileSync(new URL(`src/${file}`, contractsRoot), 'utf8')]),
  );

/**
 * Runs npm's solc. Throws with the compiler's own words on any error or warning.
 * @param texts path to text of what is compiled
 * @param tolerated severities that are no reason to stop
 * @param others path to text of what it imports; what is not there is read from this folder and from the packages
 */
export const runSolc = (texts, withSettings, others = {}, tolerated = ['info']) => {
  const sources = Object.fromEntries(Object.entries(texts).map(([path, content]) => [path, { content }]));
  const readImported = (path) => (others[path] === undefined ? readImport(path) : { contents: others[path] });
  const input = JSON.stringify({ language: 'Solidity', sources, settings: withSettings });
  const output = JSON.parse(require('solc').compile(input, { import: readImported }));
  // 2394: the general warning about transient storage, which only OpenZeppelin's reentrancy guard uses.
  // 3860, 5574: size limits, which count for optimised code only.
  const problems = (output.errors ?? []).filter(
    ({ severity, errorCode }) => !tolerated.includes(severity) && !IGNORED.has(errorCode),
  );
  if (problems.length > 0) throw new Error(problems.map((problem) => problem.formattedMessage).join('\n'));
  return output;
};

/** Compiles everything that is deployed. Throws with the compiler's own words on any error. */
export const compileAll = () => {
  const { contracts, sources } = runSolc(readSources(), settings);
  return CONTRACTS.map((name) => {
    const contract = contracts[`src/${name}.sol`][name];
    return {
      name,
      abi: contract.abi,
      notices: noticesOf(contract),
      bytecode: `0x${contract.evm.bytecode.object}`,
      runtime: runtimeOf(name, contract.evm, sources),
      deployedBytes: contract.evm.deployedBytecode.object.length / 2,
      storage: layoutOf(contract.storageLayout),
    };
  });
};

/** What NatSpec says of each function and its parameters, by signature. */
const noticesOf = ({ userdoc, devdoc }) => {
  const signatures = [...Object.keys(userdoc.methods ?? {}), ...Object.keys(devdoc.methods ?? {})];
  return Object.fromEntries(
    [...new Set(signatures)].map((signature) => {
      const { params = {}, returns = {} } = devdoc.methods?.[signature] ?? {};
      return [signature, { notice: userdoc.methods?.[signature]?.notice ?? '', params, returns }];
    }),
  );
};

/**
 * Where in the bytecode the code lies that stays on chain, and where in that code the constructor writes each immutable
 * (32 bytes at each offset; zero in the bytecode).
 */
const runtimeOf = (name, { bytecode, deployedBytecode }, sources) => {
  const at = bytecode.object.indexOf(deployedBytecode.object);
  if (at < 0 || at % 2 !== 0)
    throw new Error(`the bytecode of ${name} does not hold the code that it deploys`);
  const names = new Map();
  const visit = (node) => {
    if (node === null || typeof node !== 'object') return;
    if (node.nodeType === 'VariableDeclaration' && node.mutability === 'immutable') {
      names.set(String(node.id), node.name);
    }
    for (const child of Object.values(node)) visit(child);
  };
  for (const { ast } of Object.values(sources)) visit(ast);
  const immutables = Object.entries(deployedBytecode.immutableReferences ?? {})
    .map(([id, places]) => [names.get(id), places.map(({ start }) => start).sort((a, b) => a - b)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  if (immutables.some(([immutable], index) => !immutable || immutable === immutables[index + 1]?.[0])) {
    throw new Error(`immutables of ${name} that have no name, or one name`);
  }
  return {
    offset: at / 2,
    length: deployedBytecode.object.length / 2,
    immutables: Object.fromEntries(immutables),
  };
};

/** The same, from the last run where nothing has changed since: the compiler takes half a minute. */
export const compileOnce = () => {
  const packages = ['solc', '@openzeppelin/contracts'].map((name) => require(`${name}/package.json`).version);
  const key = createHash('sha256')
    .update(JSON.stringify([settings, packages, CONTRACTS, readSources()]))
    .digest('hex');
  const file = new URL('cache/compiled.json', contractsRoot);
  try {
    const cached = JSON.parse(readFileSync(file, 'utf8'));
    if (cached.key === key) return cached.artifacts;
  } catch {
    // Nothing there yet.
  }
  const artifacts = compileAll();
  mkdirSync(new URL('.', file), { recursive: true });
  writeFileSync(file, JSON.stringify({ key, artifacts }));
  return artifacts;
};

/** solc's storageLayout as rows that a reader can compare: members of structs follow the variable that holds them. */
const layoutOf = ({ storage, types }) => {
  const row = ({ label, slot, offset, type }) => ({
    label,
    slot: Number(slot),
    offset,
    type: types[type].label,
    bytes: Number(types[type].numberOfBytes),
  });
  const structs = {};
  const visit = (type) => {
    const known = types[type];
    if (known.members && structs[known.label] === undefined) {
      structs[known.label] = known.members.map(row);
      for (const member of known.members) visit(member.type);
    }
    for (const inner of [known.key, known.value, known.base]) if (inner) visit(inner);
  };
  for (const { type } of storage ?? []) visit(type);
  return { variables: (storage ?? []).map(row), structs };
};
