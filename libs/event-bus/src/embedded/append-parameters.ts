import { intArray, textArray } from '../binary-arrays.ts';

/** A record with the partition that its key has, as it is written. */
export type PlacedRecord = {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly headers: string;
  readonly value: string;
};

/** The records of each partition, in the order in which they were given. */
const byPartition = (records: readonly PlacedRecord[]): PlacedRecord[][] => {
  const partitions = new Map<string, PlacedRecord[]>();
  for (const record of records) {
    const name = `${record.topic}/${record.partition}`;
    const known = partitions.get(name);
    if (known) known.push(record);
    else partitions.set(name, [record]);
  }
  return [...partitions.values()];
};

/** What bus_append takes, in its order. Partition by partition: so the log is read, and its index grows at few places. */
export const appendParameters = (records: readonly PlacedRecord[]): Buffer[] => {
  const partitions = byPartition(records);
  const sorted = partitions.flat();
  return [
    textArray(partitions.map(([first]) => first!.topic)),
    intArray(partitions.map(([first]) => first!.partition)),
    intArray(partitions.map(({ length }) => length)),
    intArray(partitions.flatMap((all, at) => all.map(() => at + 1))),
    intArray(partitions.flatMap((all) => all.map((_, nth) => nth))),
    textArray(sorted.map(({ key }) => key)),
    textArray(sorted.map(({ headers }) => headers)),
    textArray(sorted.map(({ value }) => value)),
  ];
};
