import { type Operation } from '../../src/model/model.ts';
import { newWorld, type World } from '../../src/model/world.ts';
import { deployment, START_SECONDS } from './cast.ts';
import { describeAnswer, describeOutcome } from './describe.ts';
import { prologue, worldAfterPrologue } from './prologue.ts';
import { expectCall } from './tape.ts';
import { type ListName, views } from './views.ts';

/** The first place at which the contracts and the model part. */
export type Difference = {
  /** of the tape; -1: the prologue */
  readonly sequence: number;
  readonly call: number;
  readonly what: string;
  readonly model: string;
  readonly contracts: string;
};

export type Verdict = {
  /** How often which call (`market.deposit`) ended how (`done`, or an error's name): `market.deposit done` */
  readonly tally: ReadonlyMap<string, number>;
  readonly difference: Difference | null;
};

type Parting = Omit<Difference, 'sequence' | 'call'>;

/** Reads what the replay wrote down, against the model. */
class Reading {
  private offset = 0;
  readonly tally = new Map<string, number>();

  constructor(private readonly seen: Buffer) {}

  get left(): number {
    return this.seen.length - this.offset;
  }

  /** @returns null when all of the sequence was as the model says */
  sequence(world: World, operations: readonly Operation[], sequence: number): Difference | null {
    for (const [call, operation] of operations.entries()) {
      const parting = this.call(world, operation) ?? this.views(world, operation.contract);
      if (parting) return { sequence, call, ...parting };
    }
    const parting = this.views(world, 'all');
    return parting && { sequence, call: operations.length, ...parting };
  }

  private passes(expected: Buffer): boolean {
    const same = expected.equals(this.seen.subarray(this.offset, this.offset + expected.length));
    if (same) this.offset += expected.length;
    return same;
  }

  private call(world: World, operation: Operation): Parting | null {
    const { record, outcome } = expectCall(world, operation);
    const counted = `${operation.contract}.${operation.method} ${outcome}`;
    this.tally.set(counted, (this.tally.get(counted) ?? 0) + 1);
    const expected = Buffer.from(record, 'hex');
    if (this.passes(expected)) return null;
    return {
      what: 'the call itself',
      model: describeOutcome(operation.contract, expected),
      contracts: describeOutcome(operation.contract, this.seen.subarray(this.offset)),
    };
  }

  private views(world: World, list: ListName): Parting | null {
    const asked = views[list];
    // At once first: nearly always all is well.
    if (this.passes(Buffer.from(asked.map((view) => view.seen(world)).join(''), 'hex'))) return null;
    for (const view of asked) {
      const expected = Buffer.from(view.seen(world), 'hex');
      if (this.passes(expected)) continue;
      return {
        what: `${view.contract}.${view.method}(${view.args.join(', ')}) after it`,
        model: describeAnswer(view, expected),
        contracts: describeAnswer(view, this.seen.subarray(this.offset, this.offset + expected.length)),
      };
    }
    return null;
  }
}

/**
 * Compares all that was seen of a tape with the model.
 * @throws Error when there is more to be read than was asked for
 */
export const compareTape = (sequences: readonly (readonly Operation[])[], seen: Buffer): Verdict => {
  const reading = new Reading(seen);
  let difference = reading.sequence(newWorld(deployment, START_SECONDS), prologue, -1);
  for (let index = 0; index < sequences.length && !difference; index += 1) {
    difference = reading.sequence(worldAfterPrologue(), sequences[index]!, index);
  }
  if (!difference && reading.left > 0) throw new Error(`${reading.left} bytes too many were seen`);
  return { tally: reading.tally, difference };
};
