import { type Operation, perform } from '../../src/model/model.ts';
import { type ContractName } from '../../src/model/values.ts';
import { type World } from '../../src/model/world.ts';
import { calldataOf, logsOf, revertOf, words } from './abi.ts';
import { deployment } from './cast.ts';
import { prologue } from './prologue.ts';
import { type ListName, LISTS, views } from './views.ts';

/** The tape that contracts/test/Replay.t.sol plays, and what the model says it will see. Hexadecimal, without 0x. */
const CONTRACTS: readonly ContractName[] = ['token', 'market', 'registry', 'rewards'];

const field = (value: bigint | number, bytes: number): string => value.toString(16).padStart(bytes * 2, '0');

const encodeCall = (operation: Operation): string => {
  const { contract, sender, afterSeconds } = operation;
  const calldata = calldataOf(operation);
  const list = LISTS.indexOf(contract);
  return (
    field(afterSeconds, 4) +
    sender.slice(2) +
    field(CONTRACTS.indexOf(contract), 1) +
    field(list, 1) +
    field(calldata.length / 2, 2) +
    calldata
  );
};

const encodeSequence = (operations: readonly Operation[]): string =>
  field(operations.length, 2) + operations.map(encodeCall).join('');

const encodeList = (name: ListName): string =>
  field(views[name].length, 2) +
  views[name]
    .map(
      ({ contract, calldata }) =>
        field(CONTRACTS.indexOf(contract), 1) + field(calldata.length / 2, 2) + calldata,
    )
    .join('');

const opening =
  CONTRACTS.map((name) => deployment.addresses[name].slice(2)).join('') +
  field(LISTS.length, 1) +
  LISTS.map(encodeList).join('') +
  encodeSequence(prologue);

export const encodeTape = (sequences: readonly (readonly Operation[])[]): Buffer =>
  Buffer.from(opening + field(sequences.length, 4) + sequences.map(encodeSequence).join(''), 'hex');

export type ExpectedCall = {
  /** What the replay writes down of it: whether it was done (1 byte), length (4) and data, length (4) and logs. */
  readonly record: string;
  /** `done`, or the error's name */
  readonly outcome: string;
};

/** Carries the call out in the model's world. */
export const expectCall = (world: World, operation: Operation): ExpectedCall => {
  const outcome = perform(world, operation);
  const done = 'effect' in outcome;
  const data = done ? words(outcome.effect.returned) : revertOf(operation.contract, outcome.refusal);
  const logs = done ? logsOf(outcome.effect.logs) : '';
  const record = field(done ? 1 : 0, 1) + field(data.length / 2, 4) + data + field(logs.length / 2, 4) + logs;
  return { record, outcome: done ? 'done' : outcome.refusal.errorName };
};
