// Draws sequences of calls at random and compares the model with the contracts after each call:
//   node contracts/tools/model.mjs [--sequences=3000] [--seed=…] [--from=0] [--only=INDEX] [--lanes=1] [--tally] [--no-minimise]
// The same seed draws the same sequences. Ends with a line of counts; a difference is made small, shown, and exits with 1.
import { parseArgs } from 'node:util';
import { type Operation } from '../../src/model/model.ts';
import { type Difference } from './compare.ts';
import { describeOperation } from './describe.ts';
import { drawSequence, seedOf } from './draw.ts';
import { minimise } from './minimise.ts';
import { drawPapers } from './papers.ts';
import { playTapes, type Tape } from './player.ts';

const SEQUENCES_OF_TAPE = 100;
const TAPES_OF_RUN = 10;

const { values } = parseArgs({
  allowNegative: true,
  options: {
    sequences: { type: 'string', default: '3000' },
    seed: { type: 'string', default: String(Math.floor(Date.now() / 1_000) % 2 ** 31) },
    from: { type: 'string', default: '0' },
    only: { type: 'string' },
    lanes: { type: 'string', default: '1' },
    tally: { type: 'boolean', default: false },
    minimise: { type: 'boolean', default: true },
  },
});
const seed = Number(values.seed);
/** Sequences are numbered; several processes can share a run's. */
const from = Number(values.only ?? values.from);
const end = from + (values.only === undefined ? Number(values.sequences) : 1);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const report = async (index: number, operations: readonly Operation[], found: Difference): Promise<void> => {
  say(`model and contracts part in sequence ${index} of seed ${seed} (--seed=${seed} --only=${index})`);
  const asFound = { operations: operations.slice(0, found.call + 1), difference: found };
  const inSequence = found.sequence >= 0;
  const { operations: few, difference } =
    values.minimise && inSequence ? await minimise(operations, found) : asFound;
  if (inSequence) for (const operation of few) say(`  ${describeOperation(operation)}`);
  else say(`  in what comes before every sequence, call ${found.call}`);
  say(`  ${difference.what}\n    model:     ${difference.model}\n    contracts: ${difference.contracts}`);
};

const started = Date.now();
const papers = drawPapers(seed);
const tally = new Map<string, number>();
let played = 0;
let next = from;
let parted = false;

const playSome = async (): Promise<void> => {
  const first = next;
  next = Math.min(end, first + SEQUENCES_OF_TAPE * TAPES_OF_RUN);
  const indices = Array.from({ length: next - first }, (_, offset) => first + offset);
  const sequences = indices.map((index) => drawSequence(seedOf(seed, index), papers));
  const tapes: Tape[] = [];
  for (let from = 0; from < sequences.length; from += SEQUENCES_OF_TAPE) {
    tapes.push(sequences.slice(from, from + SEQUENCES_OF_TAPE));
  }
  const verdicts = await playTapes(tapes);
  for (const [tape, { tally: counted, difference }] of verdicts.entries()) {
    for (const [what, count] of counted) tally.set(what, (tally.get(what) ?? 0) + count);
    if (!difference || parted) continue;
    parted = true;
    const at = tape * SEQUENCES_OF_TAPE + Math.max(0, difference.sequence);
    await report(indices[at]!, sequences[at]!, difference);
  }
  played += sequences.length;
  if (played % 10_000 === 0) say(`${played} sequences, ${Math.round((Date.now() - started) / 1_000)} s`);
};

const lane = async (): Promise<void> => {
  while (next < end && !parted) await playSome();
};
await Promise.all(Array.from({ length: Number(values.lanes) }, lane));

const sum = (of: (what: string) => boolean): number =>
  [...tally].reduce((all, [what, count]) => all + (of(what) ? count : 0), 0);
const done = sum((what) => what.endsWith(' done'));
const all = sum(() => true);
const outcomes = new Set([...tally.keys()].map((what) => what.split(' ')[1]!));
if (values.tally) for (const what of [...tally.keys()].sort()) say(`${what}: ${tally.get(what)}`);

const seconds = ((Date.now() - started) / 1_000).toFixed(1);
say(
  `model: ${played} sequences, ${done} calls done, ${all - done} refused in ${outcomes.size - 1} ways, seed ${seed}, ${seconds} s: ${parted ? 'PARTED' : 'agree'}`,
);
process.exitCode = parted ? 1 : 0;
