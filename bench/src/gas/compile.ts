import { DomainError } from '@gridbourse/kernel';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The compiler and the settings that everything deployed is compiled with (contracts/tools/solc-input.mjs). */
const SETTINGS = {
  optimizer: { enabled: true, runs: 1_000_000 },
  viaIR: true,
  evmVersion: 'cancun',
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
};
/** The general warning about transient storage, which only OpenZeppelin's reentrancy guard uses. */
const IGNORED = '2394';

const require = createRequire(import.meta.url);
const root = new URL('../../../', import.meta.url);

type CompilerOutput = {
  readonly errors?: readonly { severity: string; errorCode: string; formattedMessage: string }[];
  readonly contracts: Readonly<
    Record<string, Readonly<Record<string, { abi: object[]; evm: { bytecode: { object: string } } }>>>
  >;
};
type Compiler = {
  compile: (
    input: string,
    callbacks: { import: (path: string) => { contents: string } | { error: string } },
  ) => string;
};

const readImport = (path: string): { contents: string } | { error: string } => {
  try {
    const file = path.startsWith('@') ? require.resolve(path) : new URL(path, root);
    return { contents: readFileSync(file, 'utf8') };
  } catch (error) {
    return { error: String(error) };
  }
};

export type Compiled = { readonly abi: readonly object[]; readonly bytecode: string };

/**
 * Compiles contracts, each in a file of its own name.
 * @param paths from the repository's root, without `.sol`; also the keys of the result
 * @throws DomainError `not_compiled` with the compiler's own words
 */
export const compile = <Path extends string>(paths: readonly Path[]): Readonly<Record<Path, Compiled>> => {
  const sources = Object.fromEntries(
    paths.map((path) => [path, { content: readFileSync(new URL(`${path}.sol`, root), 'utf8') }]),
  );
  const compiler = require('solc') as Compiler;
  const input = JSON.stringify({ language: 'Solidity', sources, settings: SETTINGS });
  const output = JSON.parse(compiler.compile(input, { import: readImport })) as CompilerOutput;
  const problems = (output.errors ?? []).filter(
    ({ severity, errorCode }) => severity !== 'info' && errorCode !== IGNORED,
  );
  if (problems.length > 0) {
    const words = problems.map(({ formattedMessage }) => formattedMessage).join('\n');
    throw new DomainError('internal', 'not_compiled', words);
  }
  return Object.fromEntries(
    paths.map((path) => {
      const { abi, evm } = output.contracts[path]![path.split('/').at(-1)!]!;
      return [path, { abi, bytecode: `0x${evm.bytecode.object}` }];
    }),
  ) as unknown as Record<Path, Compiled>;
};
