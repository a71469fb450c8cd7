import { type Operation } from '../../src/model/model.ts';
import { type ContractName } from '../../src/model/values.ts';
import { newWorld, type World } from '../../src/model/world.ts';
import { abiOf } from './abi.ts';
import { deployment, START_SECONDS } from './cast.ts';
import { prologue, worldAfterPrologue } from './prologue.ts';
import { expectCall, expectViews, type Part } from './tape.ts';
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

const SHOWN_BYTES = 4_000;

const describeData = (contract: ContractName, hexadecimal: string): string => {
  const data = `0x${hexadecimal}`;
  for (const abi of [abiOf[contract], abiOf.token]) {
    const error = data.length >= 10 ? abi.parseError(data) : null;
    if (error) return `${error.name}(${error.args.join(', ')})`;
  }
  return data;
};

const describeView = (index: number, list: ListName, hexadecimal: string): string => {
  const { contract, method } = views[list][index]!;
  const data = hexadecimal.slice(2);
  if (hexadecimal.startsWith('00')) return describeData(contract, data.slice(0, 200));
  try {
    return String(abiOf[contract].decodeFunctionResult(method, `0x${data}`));
  } catch {
    return `0x${data.slice(0, 200)}`;
  }
};

/** Reads what the replay wrote down, against the model. */
class Reading {
  private offset = 0;
  readonly tally = new Map<string, number>();

  constructor(private readonly seen: Buffer) {}

  get left(): number {
    return this.seen.length - this.offset;
  }

  /** The first part that is not what was expected, with what there was. */
  private firstOther(parts: readonly Part[]): { part: Part; index: number; actual: string } | null {
    for (const [index, part] of parts.entries()) {
      const expected = Buffer.from(part.seen, 'hex');
      const actual = this.seen.subarray(this.offset, this.offset + expected.length);
      if (!expected.equals(actual)) {
        const shown = this.seen.subarray(this.offset, this.offset + SHOWN_BYTES).toString('hex');
        return { part, index, actual: shown };
      }
      this.offset += expected.length;
    }
    return null;
  }

  sequence(world: World, operations: readonly Operation[], number: number): Difference | null {
    for (const [call, operation] of operations.entries()) {
      const { parts, outcome } = expectCall(world, operation);
      const counted = `${operation.contract}.${operation.method} ${outcome}`;
      this.tally.set(counted, (this.tally.get(counted) ?? 0) + 1);
      const other = this.firstOther(parts);
      if (other) {
        const { part, actual } = other;
        const unframed = (text: string): string =>
          part.what === 'success'
            ? text.slice(0, 2)
            : describeData(operation.contract, text.slice(8, 8 + 2 * Number.parseInt(text.slice(0, 8), 16)));
        // What it refused with says more than that it refused.
        const why =
          part.what === 'success'
            ? ` ${describeData(operation.contract, actual.slice(10, 10 + 2 * Number.parseInt(actual.slice(2, 10), 16)))}`
            : '';
        return {
          sequence: number,
          call,
          what: part.what,
          model:
            part.what === 'success'
              ? parts
                  .map(({ seen }) => seen)
                  .slice(0, 2)
                  .join(' ')
              : unframed(part.seen),
          contracts: unframed(actual) + why,
        };
      }
      const difference = this.views(world, operation.contract, number, call);
      if (difference) return difference;
    }
    return this.views(world, 'all', number, operations.length);
  }

  private views(world: World, list: ListName, sequence: number, call: number): Difference | null {
    const expected = Buffer.from(expectViews(world, list), 'hex');
    if (expected.equals(this.seen.subarray(this.offset, this.offset + expected.length))) {
      this.offset += expected.length;
      return null;
    }
    const parts = views[list].map((view) => ({
      what: `${view.method}(${view.args.join(', ')})`,
      seen: view.seen(world),
    }));
    const { part, index, actual } = this.firstOther(parts)!;
    return {
      sequence,
      call,
      what: `${views[list][index]!.contract}.${part.what} after it`,
      model: describeView(index, list, part.seen),
      contracts: describeView(index, list, actual.slice(0, part.seen.length)),
    };
  }
}

/** Compares all that was seen of a tape with the model. */
export const compareTape = (sequences: readonly (readonly Operation[])[], seen: Buffer): Verdict => {
  const reading = new Reading(seen);
  let difference = reading.sequence(newWorld(deployment, START_SECONDS), prologue, -1);
  for (let index = 0; index < sequences.length && !difference; index += 1) {
    difference = reading.sequence(worldAfterPrologue(), sequences[index]!, index);
  }
  if (!difference && reading.left !== 0)
    throw new Error(`${reading.left} bytes more were seen than were asked for`);
  return { tally: reading.tally, difference };
};
