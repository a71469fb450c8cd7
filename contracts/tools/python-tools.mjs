// Python programs that check the contracts, in a virtual environment of their own under .cache.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { contractsRoot } from './solc-input.mjs';

const OLDEST_PYTHON = [3, 11];
const INSTALL_TIMEOUT_MS = 300_000;
const requirements = fileURLToPath(new URL('tools/requirements.txt', contractsRoot));

/** Ends a process whose check could not be made: not a pass, and not a failure of what was to be checked. */
export const NOT_RUN = 3;

const python = () =>
  ['python3', 'python'].find((command) => {
    const { status, stdout } = spawnSync(command, ['-c', 'import sys; print(*sys.version_info[:2])'], {
      encoding: 'utf8',
    });
    if (status !== 0) return false;
    const [major, minor] = stdout.split(' ').map(Number);
    return major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1];
  });

/**
 * The programs of requirements.txt, each package in the version named there; installed on first use.
 * @returns `{ bin }`, the folder that they are in, or `{ missing }`, a sentence that says why they cannot be had
 */
export const pythonTools = () => {
  const key = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 16);
  const folder = fileURLToPath(new URL(`../.cache/python-${key}/`, contractsRoot));
  const bin = join(folder, 'bin');
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return { bin };
  const command = python();
  if (!command) return { missing: `needs Python ${OLDEST_PYTHON.join('.')} or newer` };
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  process.stderr.write('installing halmos and slither (once)\n');
  const steps = [
    [command, ['-m', 'venv', folder]],
    [
      join(bin, 'python'),
      ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', requirements],
    ],
  ];
  for (const [program, args] of steps) {
    const { status, stderr } = spawnSync(program, args, {
      encoding: 'utf8',
      timeout: INSTALL_TIMEOUT_MS,
      env: { ...process.env, PIP_NO_INPUT: '1' },
    });
    if (status === 0) continue;
    const words = (stderr ?? '').trim().split('\n').at(-1);
    return { missing: `needs the packages of contracts/tools/requirements.txt, and pip gave none: ${words}` };
  }
  writeFileSync(complete, '');
  return { bin };
};

/** As `pythonTools`, and ends the process with `NOT_RUN` where there are none. */
export const requirePythonTools = (check) => {
  const { bin, missing } = pythonTools();
  if (bin) return bin;
  process.stdout.write(`NOT RUN: ${check}: ${missing}\n`);
  process.exit(NOT_RUN);
};
