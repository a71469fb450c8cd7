import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contractsRoot } from './solc-input.mjs';

const architectures = { x64: 'amd64', arm64: 'arm64' };
const name = `@foundry-rs/forge-${process.platform}-${architectures[process.arch] ?? process.arch}`;

/** Path of Foundry's forge, from npm; null where this machine has none. */
export const forgeBinary = () => {
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    return join(folder, 'bin', process.platform === 'win32' ? 'forge.exe' : 'forge');
  } catch {
    return null;
  }
};

/** As `forgeBinary`, and ends the process with code 2 where there is none. */
export const requireForge = () => {
  const binary = forgeBinary();
  if (binary) return binary;
  process.stderr.write(`${name} is not installed: the contracts' tests cannot run on this machine\n`);
  process.exit(2);
};

/**
 * Puts bytecode where the tests look for it.
 * @param folder under contracts/cache
 * @param artifacts `{ name, bytecode }` with bytecode as 0x and hexadecimal digits
 */
export const writeBytecode = (folder, artifacts) => {
  const place = new URL(`cache/${folder}/`, contractsRoot);
  mkdirSync(place, { recursive: true });
  for (const artifact of artifacts) writeFileSync(new URL(`${artifact.name}.hex`, place), artifact.bytecode);
};

/** Runs `forge test`; what it says comes back, errors of its own go to stderr. */
export const forgeTest = (binary, args, { env = {}, timeoutMs } = {}) =>
  spawnSync(binary, ['test', ...args], {
    cwd: fileURLToPath(contractsRoot),
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 256 * 2 ** 20,
    timeout: timeoutMs,
    env: { ...process.env, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1', NO_COLOR: '1', ...env },
  });
