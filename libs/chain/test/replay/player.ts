import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Operation } from '../../src/model/model.ts';
import { compareTape, type Verdict } from './compare.ts';
import { encodeTape } from './tape.ts';

const contractsFolder = fileURLToPath(new URL('../../../../contracts', import.meta.url));
const DEADLINE_MS = 900_000;

/** Runs Foundry on the tapes of a folder: its EVM, and the bytecode that is deployed. */
const runForge = (forge: string, folder: string, count: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(forge, ['test', '--match-contract', '^ReplayTest$'], {
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
  const forge = process.env['GRIDBOURSE_FORGE'];
  if (!forge) throw new Error('GRIDBOURSE_FORGE is not set: start contracts/tools/model.mjs');
  const folder = mkdtempSync(join(contractsFolder, 'cache', 'replay-'));
  try {
    tapes.forEach((tape, index) => writeFileSync(join(folder, `${index}.tape`), encodeTape(tape)));
    await runForge(forge, folder, tapes.length);
    return tapes.map((tape, index) => compareTape(tape, readFileSync(join(folder, `${index}.seen`))));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};
