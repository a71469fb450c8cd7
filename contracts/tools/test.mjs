// Tests the contracts: what is committed of them is what their sources give, and their tests pass under Foundry.
// Arguments are handed on to forge: node contracts/tools/test.mjs --match-test gas -vvv
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generate, generatedFolder } from './compile.mjs';
import { compileOnce, contractsRoot } from './solc-input.mjs';

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

const forge = binary();
const artifacts = compileOnce();

for (const [file, text] of Object.entries(generate(artifacts))) {
  if (readFileSync(new URL(file, generatedFolder), 'utf8') === text) continue;
  process.stderr.write(`libs/chain/src/generated/${file} is out of date: run npm run contracts\n`);
  process.exit(1);
}

// The tests deploy this, the very bytecode that is deployed anywhere else.
const bytecodes = new URL('cache/bytecode/', contractsRoot);
mkdirSync(bytecodes, { recursive: true });
for (const { name: contract, bytecode } of artifacts) {
  writeFileSync(new URL(`${contract}.hex`, bytecodes), bytecode);
}

const { status, error, stdout } = spawnSync(forge, ['test', ...process.argv.slice(2)], {
  cwd: fileURLToPath(contractsRoot),
  stdio: ['ignore', 'pipe', 'inherit'],
  encoding: 'utf8',
  maxBuffer: 64 * 2 ** 20,
  env: { ...process.env, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1', NO_COLOR: '1' },
});
if (error) throw error;
process.stdout.write(stdout);
const counts = /(\d+) tests passed, (\d+) failed/.exec(stdout);
if (counts) process.stdout.write(`contracts: ${counts[1]} passed, ${counts[2]} failed\n`);
process.exit(status ?? 1);
