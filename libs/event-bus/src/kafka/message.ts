import type { EventHeaders } from '@gridbourse/events';
import type { KafkaMessage } from 'kafkajs';
import type { LoggedRecord } from '../delivery/record.ts';

const textOf = (value: unknown): string => {
  if (Array.isArray(value)) return textOf(value.at(-1));
  return Buffer.isBuffer(value) ? value.toString('utf8') : String(value);
};

/** CloudEvents attributes travel as headers of the message (binary mode), each as text. */
export const headersOf = (headers: EventHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );

const decodeHeaders = (message: KafkaMessage): Record<string, string> =>
  Object.fromEntries(
    Object.entries(message.headers ?? {})
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, textOf(value)]),
  );

/** A message as the bus knows it. What is no JSON is kept as the text that it is, with the fault said. */
export const loggedRecord = (message: KafkaMessage): LoggedRecord => {
  const record = {
    offset: Number(message.offset),
    key: message.key?.toString('utf8') ?? '',
    headers: decodeHeaders(message),
  };
  const text = message.value?.toString('utf8') ?? '';
  if (message.key === null || message.key.length === 0) {
    return { ...record, value: text, fault: 'key_missing: the message has no key' };
  }
  try {
    return { ...record, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { ...record, value: text, fault: `value_not_json: ${(error as Error).message}` };
  }
};
