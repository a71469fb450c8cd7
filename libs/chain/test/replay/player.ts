import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Operation } from '../../src/model/model.ts';
import { compareTape, type Verdict } from './compare.ts';
import { encodeTape } from './tape.ts';

const contractsFolder = fileURLToPath(new URL('../../../../contracts', import.meta.url));
const DEADLINE_MS = 900_000;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

const forge = (): string => {
  const name = `@foundry-rs/forge-${process.platform}-${ARCHITECTURES[process.arch] ?? process.arch}`;
  return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), 'bin', 'forge');
};

/** Runs Foundry on the tapes of a folder: its EVM, and the bytecode that is deployed. */
const runForge = (folder: string, count: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(forge(), ['test', '--match-contract', '^ReplayTest$'], {
      cwd: contractsFolder,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
      env: {
        ...process.env,
        FOUNDRY_DISABLE_NIGHTLY_WARNING: '1',
        FOUNDRY_GAS_LIMIT: String(2n ** 63n - 1n),
        NO_COLOR: '1',
        GRIDBOURSE_TAPES: join('cache', basename(folder)),
        GRIDBOURSE_TAPE_COUNT: String(count),
      },
    });
    let told = '';
    child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0 && /1 tests? passed, 0 failed/.test(told)) resolve();
      else reject(new Error(`Foundry could not play the tapes (exit ${code}):\n${told.slice(-2_000)}`));
    });
  });

export type Tape = readonly (readonly Operation[])[];

/**
 * Plays tapes in one run of Foundry and compares each with the model.
 * @throws Error when Foundry does not get through
 */
export const playTapes = async (tapes: readonly Tape[]): Promise<Verdict[]> => {
  const folder = mkdtempSync(join(contractsFolder, 'cache', 'replay-'));
  try {
    tapes.forEach((tape, index) => writeFileSync(join(folder, `${index}.tape`), encodeTape(tape)));
    await runForge(folder, tapes.length);
    return tapes.map((tape, index) => compareTape(tape, readFileSync(join(folder, `${index}.seen`))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
