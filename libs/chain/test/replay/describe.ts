import { AbiCoder } from 'ethers';
import { type Operation } from '../../src/model/model.ts';
import { type ContractName } from '../../src/model/values.ts';
import { abiOf } from './abi.ts';
import { deployment, owners, payouts, tenants } from './cast.ts';
import { type View } from './views.ts';

/** What was sent and seen, for the reader. */
const names = new Map<string, string>([
  ...Object.entries(deployment.roles).map(([name, { holder }]) => [holder, name] as const),
  ...Object.entries(deployment.addresses).map(([name, account]) => [account, name] as const),
  ...owners.map((account, index) => [account, `owner${index + 1}`] as const),
  ...payouts.map((account, index) => [account, `payout${index + 1}`] as const),
  ...tenants.map((account, index) => [account, `tenant${index + 1}`] as const),
]);

const named = (value: unknown): unknown => {
  if (typeof value === 'bigint') return value.toString();
  return typeof value === 'string' ? (names.get(value.toLowerCase()) ?? value) : value;
};

const listed = (values: readonly unknown[]): string => values.map(named).join(', ');

export const describeOperation = ({ afterSeconds, sender, contract, method, args }: Operation): string =>
  `+${afterSeconds} s ${String(named(sender))}: ${contract}.${method} ${JSON.stringify(args, (_, value: unknown) => named(value))}`;

const describeRefusal = (contract: ContractName, data: string): string => {
  for (const abi of [abiOf[contract], abiOf.token]) {
    const error = data.length >= 10 ? abi.parseError(data) : null;
    if (error) return `refused: ${error.name}(${listed([...error.args])})`;
  }
  return `refused: ${data}`;
};

const LOGS = ['tuple(bytes32[] topics, bytes data, address emitter)[]'];
type RawLog = { readonly topics: readonly string[]; readonly data: string; readonly emitter: string };

const describeLog = ({ topics, data, emitter }: RawLog): string => {
  const contract = names.get(emitter.toLowerCase()) as ContractName | undefined;
  const log = contract && abiOf[contract].parseLog({ topics, data });
  return log ? `${contract}.${log.name}(${listed([...log.args])})` : `${emitter} ${topics.join(' ')} ${data}`;
};

/** The record of one call: whether it was done, its data, its logs. */
export const describeOutcome = (contract: ContractName, record: Buffer): string => {
  const dataEnd = 5 + record.readUInt32BE(1);
  const data = `0x${record.subarray(5, dataEnd).toString('hex')}`;
  if (record[0] === 0) return describeRefusal(contract, data);
  const logs = record.subarray(dataEnd + 4, dataEnd + 4 + record.readUInt32BE(dataEnd));
  const [decoded] = AbiCoder.defaultAbiCoder().decode(LOGS, logs) as unknown as [RawLog[]];
  return `done: returned ${data}, logged ${decoded.map(describeLog).join(', ')}`;
};

/** The record of one view: whether it answered, and its data. */
export const describeAnswer = ({ contract, method }: View, record: Buffer): string => {
  const data = `0x${record.subarray(1).toString('hex')}`;
  if (record[0] === 0) return describeRefusal(contract, data);
  try {
    return listed([...abiOf[contract].decodeFunctionResult(method, data)]);
  } catch {
    return data;
  }
};
