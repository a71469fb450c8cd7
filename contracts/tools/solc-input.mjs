import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const contractsRoot = new URL('../', import.meta.url);

/** How everything that is deployed is compiled. */
export const settings = {
  optimizer: { enabled: true, runs: 1_000_000 },
  viaIR: true,
  evmVersion: 'cancun',
  // No hash of the sources behind the code: the same code whatever the comments and paths are.
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
};

const readImport = (path) => {
  try {
    const file = path.startsWith('@') ? require.resolve(path) : new URL(path, contractsRoot);
    return { contents: readFileSync(file, 'utf8') };
  } catch (error) {
    return { error: String(error) };
  }
};

/** Compiles every contract under src/ with npm's solc. Throws with the compiler's own words on any error. */
export const compileAll = () => {
  const solc = require('solc');
  const sources = Object.fromEntries(
    readdirSync(new URL('src/', contractsRoot))
      .filter((file) => file.endsWith('.sol'))
      .sort()
      .map((file) => [
        `src/${file}`,
        { content: readFileSync(new URL(`src/${file}`, contractsRoot), 'utf8') },
      ]),
  );
  const output = JSON.parse(
    solc.compile(JSON.stringify({ language: 'Solidity', sources, settings }), { import: readImport }),
  );
  // 2394: the general warning about transient storage, which only OpenZeppelin's reentrancy guard uses.
  const problems = (output.errors ?? []).filter(
    (problem) => problem.severity !== 'info' && problem.errorCode !== '2394',
  );
  if (problems.length > 0) throw new Error(problems.map((problem) => problem.formattedMessage).join('\n'));
  const artifact = (name) => {
    const contract = output.contracts[`src/${name}.sol`][name];
    return {
      name,
      abi: contract.abi,
      bytecode: `0x${contract.evm.bytecode.object}`,
      deployedBytes: contract.evm.deployedBytecode.object.length / 2,
    };
  };
  return ['TestUSDC', 'ProviderRegistry', 'ComputeMarket'].map(artifact);
};
