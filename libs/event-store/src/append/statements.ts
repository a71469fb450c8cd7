import { bigintArray, CopyRows, intArray, textArray } from '@gridbourse/postgres';
import { type AppendBatch, keyOfStream, type StreamAppend } from './batch.ts';

/** Streams and events in one call. @returns `tx`, the id of the transaction */
export const APPEND = `
  SELECT append_to_streams($1::text[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::int[], $7::int[], $8::text[],
    $9::int[], $10::text[], $11::text[], $12::int[], $13::int[], $14::timestamptz)::text AS tx`;

/** The streams of `grownFirst`; other new ones and all events are to be copied behind it. @returns what `Grown` says */
export const GROW = `
  SELECT current_tx::text AS tx, row_xmin::text AS xmin, array_to_string(txs, ',') AS txs, array_to_string(public_bases, ',') AS "publicBases"
  FROM grow_streams($1::text[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::int[])`;

export const COPY_STREAMS = `
  COPY streams (stream_id, version, tx, public_sequence, topic, key) FROM STDIN (FORMAT binary)`;
const STREAM_COLUMNS = 6;

export const COPY_EVENTS = `
  COPY events (stream_id, version, type, schema_version, data, metadata, occurred_at, tx, sequence)
  FROM STDIN (FORMAT binary)`;
const EVENT_COLUMNS = 9;

/** A row of GROW. The lists have commas between: the driver takes long to read an array. */
export type Grown = {
  readonly tx: string;
  readonly xmin: string;
  readonly txs: string | null;
  readonly publicBases: string | null;
};

/** What became of the streams: lists with an entry for each of the first ones, null where all streams are new. */
export type StreamsGrown = {
  readonly tx: string;
  /** What marks the rows that are inserted now: that of the innermost savepoint, or of the transaction. */
  readonly xmin: string;
  /** The tx of each stream's new events: that of the stream's event before them where it is higher. */
  readonly txs: readonly string[] | null;
  /** How many public events each stream had before. */
  readonly publicBases: readonly number[] | null;
};

export const streamsGrown = ({ tx, xmin, txs, publicBases }: Grown): StreamsGrown => ({
  tx,
  xmin,
  txs: txs?.split(',') ?? null,
  publicBases: publicBases?.split(',').map(Number) ?? null,
});

/**
 * The streams that exist, and the first of the new ones: it tells what all of them are marked with. The others cost the
 * server less when they are copied.
 */
export const grownFirst = ({ streams }: AppendBatch): readonly StreamAppend[] => {
  const begun = streams.findIndex(({ expected }) => expected <= 0);
  return begun === -1 ? streams : streams.slice(0, begun + 1);
};

/** For GROW. */
export const streamParameters = (streams: readonly StreamAppend[]): Buffer[] => [
  textArray(streams.map(({ streamId }) => streamId)),
  textArray(streams.map(({ streamId }) => keyOfStream(streamId))),
  textArray(streams.map(({ topic }) => topic)),
  bigintArray(streams.map(({ expected }) => expected)),
  intArray(streams.map(({ events }) => events)),
  intArray(streams.map(({ publics }) => publics)),
];

/** For APPEND. */
export const appendParameters = (batch: AppendBatch): unknown[] => {
  const { events, occurredAtMs } = batch;
  return [
    ...streamParameters(batch.streams),
    intArray(events.map(({ stream }) => stream.place)),
    textArray(events.map(({ type }) => type)),
    intArray(events.map(({ schemaVersion }) => schemaVersion)),
    textArray(events.map(({ text }) => text)),
    textArray(events.map(({ metadata }) => metadata)),
    intArray(events.map(({ nth }) => nth)),
    intArray(events.map(({ nthPublic }) => nthPublic)),
    new Date(occurredAtMs).toISOString(),
  ];
};

const integerOf = (text: string): number | bigint => {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
};

/** For COPY_STREAMS: what `grownFirst` left. @returns null where that is none */
export const streamRows = (batch: AppendBatch, grown: StreamsGrown): CopyRows | null => {
  const left = batch.streams.slice(grownFirst(batch).length);
  if (left.length === 0) return null;
  const rows = new CopyRows(STREAM_COLUMNS);
  const tx = integerOf(grown.tx);
  for (const { streamId, events, publics, topic } of left) {
    rows.row();
    rows.text(streamId);
    rows.bigint(events);
    rows.bigint(tx);
    rows.bigint(publics);
    if (topic === null) rows.null();
    else rows.text(topic);
    rows.text(keyOfStream(streamId));
  }
  return rows;
};

/** For COPY_EVENTS: the very rows that append_to_streams would have made. */
export const eventRows = ({ events, occurredAtMs }: AppendBatch, grown: StreamsGrown): CopyRows => {
  const rows = new CopyRows(EVENT_COLUMNS);
  const tx = integerOf(grown.tx);
  const txs = grown.txs?.map(integerOf);
  const { publicBases } = grown;
  for (const { stream, type, schemaVersion, text, metadata, nth, nthPublic } of events) {
    const at = stream.place - 1;
    rows.row();
    rows.text(stream.streamId);
    rows.bigint(stream.expected + nth);
    rows.text(type);
    rows.int(schemaVersion);
    rows.text(text);
    rows.text(metadata);
    rows.timestamp(occurredAtMs);
    rows.bigint(txs?.[at] ?? tx);
    if (nthPublic === null) rows.null();
    else rows.bigint((publicBases?.[at] ?? 0) + nthPublic);
  }
  return rows;
};
