// Runs the contracts' tests with Foundry. Arguments are handed on: node contracts/tools/test.mjs --match-test gas -vvv
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileAll, contractsRoot } from './solc-input.mjs';

const architectures = { x64: 'amd64', arm64: 'arm64' };
const name = `@foundry-rs/forge-${process.platform}-${architectures[process.arch] ?? process.arch}`;

const binary = () => {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    return join(folder, 'bin', process.platform === 'win32' ? 'forge.exe' : 'forge');
  } catch {
    process.stderr.write(`${name} is not installed: the contracts' tests cannot run on this machine\n`);
    process.exit(2);
  }
};

const bytecodes = new URL('cache/bytecode/', contractsRoot);
mkdirSync(bytecodes, { recursive: true });
for (const { name: contract, bytecode } of compileAll()) {
  writeFileSync(new URL(`${contract}.hex`, bytecodes), bytecode);
}

const { status, error } = spawnSync(binary(), ['test', ...process.argv.slice(2)], {
  cwd: fileURLToPath(contractsRoot),
  stdio: 'inherit',
  env: { ...process.env, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1', NO_COLOR: process.stdout.isTTY ? '' : '1' },
});
if (error) throw error;
process.exit(status ?? 1);
