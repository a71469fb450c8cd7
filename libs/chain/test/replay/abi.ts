import { type Interface, type ParamType } from 'ethers';
import { interfaces } from '../../src/contracts.ts';
import { type Operation } from '../../src/model/model.ts';
import { type Refusal } from '../../src/model/refusal.ts';
import {
  type Batch,
  type ContractName,
  type Logged,
  type Order,
  type Proof,
  type Reward,
  type Signature,
  type Value,
} from '../../src/model/values.ts';
import { deployment } from './cast.ts';

/** Calls, logs and errors as the bytes that a chain has for them: hexadecimal, without 0x. ethers' own coder is too slow
 * for millions of them. */
export const abiOf: Readonly<Record<ContractName, Interface>> = {
  token: interfaces.TestUSDC,
  market: interfaces.ComputeMarket,
  registry: interfaces.ProviderRegistry,
  rewards: interfaces.LivenessRewards,
};

const WORD_DIGITS = 64;
const number = (value: bigint | number): string => value.toString(16).padStart(WORD_DIGITS, '0');
const padded = (digits: string): string =>
  digits.padEnd(Math.ceil(digits.length / WORD_DIGITS) * WORD_DIGITS, '0');

/** A static value. Text is an address or a bytes32, told apart by their length. */
const word = (value: Value): string => {
  if (typeof value === 'bigint') return number(value);
  if (typeof value === 'boolean') return number(value ? 1n : 0n);
  return value.slice(2).padStart(WORD_DIGITS, '0');
};

export const words = (values: readonly Value[]): string => values.map(word).join('');

type Rich = Signature | Order | Reward | Proof | Batch;
type Dynamic = { readonly tail: string };
type Encoded = string | Dynamic;

/** `bytes`: length, then data. */
const dynamicBytes = (hexadecimal: string): Dynamic => {
  const digits = hexadecimal.slice(2);
  return { tail: number(digits.length / 2) + padded(digits) };
};

const short = (value: bigint, bytes: number): string => value.toString(16).padStart(bytes * 2, '0');

/** The packed form of a batch: PackedBatch.sol. */
export const packedBatch = (batch: Batch): string => {
  if ('malformed' in batch) return batch.malformed;
  const group = ({ providerId, rows }: (typeof batch.groups)[number]): string =>
    short(providerId, 4) +
    short(BigInt(rows.length), 2) +
    rows.map(({ serial, cumulative }) => short(serial, 8) + short(cumulative, 8)).join('');
  return `0x${batch.groups.map(group).join('')}`;
};

const encodeRich = (value: Rich, type: string): Encoded[] => {
  if ('bytes' in value) {
    if (type !== 'uint8') return [dynamicBytes(value.bytes)];
    const digits = value.bytes.slice(2);
    return [word(`0x${digits.slice(128)}`), digits.slice(0, 64), digits.slice(64, 128)];
  }
  if ('orderRef' in value) {
    const { tenant, providerId, maxRatePerHour, maxLock, deadline, nonce, orderRef } = value;
    return [tenant, providerId, maxRatePerHour, maxLock, deadline, nonce, orderRef].map(word);
  }
  if ('siblings' in value) {
    return [{ tail: number(value.siblings.length) + value.siblings.map((hash) => hash.slice(2)).join('') }];
  }
  if ('previous' in value) {
    return [value.era, value.providerId, value.previous, value.cumulative].map(word);
  }
  return [dynamicBytes(packedBatch(value))];
};

const assembled = (parts: readonly Encoded[]): string => {
  let head = '';
  let tail = '';
  for (const part of parts) {
    if (typeof part === 'string') {
      head += part;
    } else {
      head += number(parts.length * 32 + tail.length / 2);
      tail += part.tail;
    }
  }
  return head + tail;
};

type Known<T> = Readonly<Record<ContractName, ReadonlyMap<string, T>>>;
const everyContract = ['token', 'market', 'registry', 'rewards'] as const;
const known = <T>(of: (abi: Interface) => readonly (readonly [string, T])[]): Known<T> =>
  Object.fromEntries(everyContract.map((name) => [name, new Map(of(abiOf[name]))])) as unknown as Known<T>;

const functions = known((abi) =>
  abi.fragments
    .filter((fragment) => fragment.type === 'function')
    .map((fragment) => {
      const { name, selector, inputs } = abi.getFunction(fragment.format('sighash'))!;
      return [name, { selector: selector.slice(2), types: inputs.map(({ type }) => type) }] as const;
    }),
);

const events = known((abi) =>
  abi.fragments
    .filter((fragment) => fragment.type === 'event')
    .map((fragment) => {
      const { name, topicHash, inputs } = abi.getEvent(fragment.format('sighash'))!;
      const indexed = inputs.flatMap((input: ParamType) =>
        (input.components ?? [input]).map(() => input.indexed === true),
      );
      return [
        name,
        { topic: topicHash.slice(2), indexed, dynamic: inputs.at(-1)?.type === 'bytes' },
      ] as const;
    }),
);

const errors = known((abi) =>
  abi.fragments
    .filter((fragment) => fragment.type === 'error')
    .map((fragment) => {
      const { name, selector } = abi.getError(fragment.format('sighash'))!;
      return [name, selector.slice(2)] as const;
    }),
);
const PANIC = '4e487b71';

export const callOf = (contract: ContractName, method: string, args: readonly (Value | Rich)[]): string => {
  const { selector, types } = functions[contract].get(method)!;
  const parts = args.flatMap((value, index) =>
    typeof value === 'object' ? encodeRich(value, types[index]!) : [word(value)],
  );
  return selector + assembled(parts);
};

export const calldataOf = ({ contract, method, args }: Operation): string => callOf(contract, method, args);

/** Revert data. A token's own error comes through the contract that called it. */
export const revertOf = (contract: ContractName, { errorName, args }: Refusal): string => {
  const selector =
    errorName === 'Panic' ? PANIC : (errors[contract].get(errorName) ?? errors.token.get(errorName));
  if (selector === undefined) throw new Error(`no contract has the error ${errorName}`);
  return selector + words(args);
};

/** ABI-encoded Vm.Log[]: topics, data, emitter each. */
export const logsOf = (logged: readonly Logged[]): string => {
  let offsets = '';
  let entries = '';
  for (const { contract, name, args } of logged) {
    const { topic, indexed, dynamic } = events[contract].get(name)!;
    let topics = topic;
    let data = '';
    args.forEach((value, index) => {
      if (indexed[index]) topics += word(value);
      else if (!dynamic) data += word(value);
      else data += number(32) + dynamicBytes(value as string).tail;
    });
    offsets += number(logged.length * 32 + entries.length / 2);
    entries += number(96) + number(96 + 32 + topics.length / 2) + word(deployment.addresses[contract]);
    entries += number(topics.length / WORD_DIGITS) + topics + number(data.length / 2) + padded(data);
  }
  return number(32) + number(logged.length) + offsets + entries;
};
