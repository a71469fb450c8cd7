import type { JsonSchema } from '../wire-schema.ts';
import { canonical } from './alternatives.ts';

/** One keyword by which a reader refuses what a writer may write. */
export type Refusal = { readonly keyword: string; readonly written: string; readonly read: string };

type Bound = { readonly value: number; readonly exclusive: boolean };

const numberAt = (shape: JsonSchema, keyword: string): number | undefined =>
  typeof shape[keyword] === 'number' ? shape[keyword] : undefined;

const show = (value: number | undefined): string => (value === undefined ? 'no limit' : String(value));

/** The tighter of the two ways to write a bound. Whole numbers have no use for the exclusive one. */
const bound = (shape: JsonSchema, side: 'Minimum' | 'Maximum'): Bound | null => {
  const sign = side === 'Minimum' ? 1 : -1;
  const inclusive = numberAt(shape, side.toLowerCase());
  let exclusive = numberAt(shape, `exclusive${side}`);
  let plain = inclusive;
  if (exclusive !== undefined && shape['type'] === 'integer') {
    const nearest = side === 'Minimum' ? Math.floor(exclusive) + 1 : Math.ceil(exclusive) - 1;
    plain = plain === undefined || sign * nearest > sign * plain ? nearest : plain;
    exclusive = undefined;
  }
  if (exclusive !== undefined && (plain === undefined || sign * exclusive >= sign * plain)) {
    return { value: exclusive, exclusive: true };
  }
  return plain === undefined ? null : { value: plain, exclusive: false };
};

const showBound = (limit: Bound | null): string =>
  limit ? `${limit.value}${limit.exclusive ? ', exclusive' : ''}` : 'no limit';

export const refusedNumbers = (writer: JsonSchema, reader: JsonSchema): Refusal[] => {
  const refusals: Refusal[] = [];
  for (const side of ['Minimum', 'Maximum'] as const) {
    const sign = side === 'Minimum' ? 1 : -1;
    const [written, read] = [bound(writer, side), bound(reader, side)];
    if (!read) continue;
    const within =
      written &&
      (sign * written.value > sign * read.value ||
        (written.value === read.value && (written.exclusive || !read.exclusive)));
    if (!within)
      refusals.push({ keyword: side.toLowerCase(), written: showBound(written), read: showBound(read) });
  }
  const step = numberAt(reader, 'multipleOf');
  if (step !== undefined) {
    const written = numberAt(writer, 'multipleOf') ?? (writer['type'] === 'integer' ? 1 : undefined);
    // Quotients of fractions are not exact, so only whole steps are divided.
    const divides =
      written === step ||
      (Number.isInteger(written) && Number.isInteger(step) && Number.isInteger(written! / step));
    if (!divides) refusals.push({ keyword: 'multipleOf', written: show(written), read: show(step) });
  }
  return refusals;
};

/** A minimum (default 0) and a maximum that count something: characters, items. */
export const refusedCounts = (
  writer: JsonSchema,
  reader: JsonSchema,
  minimum: string,
  maximum: string,
): Refusal[] => {
  const refusals: Refusal[] = [];
  const [writtenMin, readMin] = [numberAt(writer, minimum) ?? 0, numberAt(reader, minimum) ?? 0];
  if (writtenMin < readMin)
    refusals.push({ keyword: minimum, written: show(writtenMin), read: show(readMin) });
  const [writtenMax, readMax] = [numberAt(writer, maximum), numberAt(reader, maximum)];
  if (readMax !== undefined && (writtenMax === undefined || writtenMax > readMax)) {
    refusals.push({ keyword: maximum, written: show(writtenMax), read: show(readMax) });
  }
  return refusals;
};

const patternsOf = (shape: JsonSchema): string[] =>
  [shape, ...((shape['allOf'] ?? []) as JsonSchema[])].flatMap(({ pattern }) =>
    typeof pattern === 'string' ? [pattern] : [],
  );

export const refusedTexts = (writer: JsonSchema, reader: JsonSchema): Refusal[] => {
  const refusals = refusedCounts(writer, reader, 'minLength', 'maxLength');
  const written = patternsOf(writer);
  for (const pattern of patternsOf(reader)) {
    if (!written.includes(pattern)) {
      refusals.push({ keyword: 'pattern', written: written.join(' and ') || 'any text', read: pattern });
    }
  }
  const format = reader['format'];
  if (format !== undefined && writer['format'] !== format) {
    const text = (value: unknown): string => (typeof value === 'string' ? value : 'any text');
    refusals.push({ keyword: 'format', written: text(writer['format']), read: text(format) });
  }
  return refusals;
};

/** Whether a shape accepts this very value. Where that cannot be told, it does not. */
export const acceptsValue = (shape: JsonSchema, value: unknown): boolean => {
  if (Object.keys(shape).length === 0) return true;
  if ('enum' in shape) return (shape['enum'] as unknown[]).some((one) => canonical(one) === canonical(value));
  if (typeof value === 'string' && shape['type'] === 'string') {
    if (shape['format'] !== undefined) return false;
    const length = [...value].length;
    const exact = { type: 'string', minLength: length, maxLength: length };
    return (
      refusedCounts(exact, shape, 'minLength', 'maxLength').length === 0 &&
      patternsOf(shape).every((pattern) => new RegExp(pattern, 'u').test(value))
    );
  }
  if (typeof value === 'number' && (shape['type'] === 'number' || shape['type'] === 'integer')) {
    if (shape['type'] === 'integer' && !Number.isInteger(value)) return false;
    const exact = { type: 'number', minimum: value, maximum: value, multipleOf: value };
    return refusedNumbers(exact, shape).length === 0;
  }
  return false;
};
