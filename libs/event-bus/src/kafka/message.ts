import type { EventHeaders } from '@gridbourse/events';
import type { KafkaMessage } from 'kafkajs';
import { withJsonValue } from '../delivery/json-value.ts';
import type { LoggedRecord } from '../delivery/record.ts';

const textOf = (value: unknown): string => {
  if (Buffer.isBuffer(value)) return value.toString();
  return Array.isArray(value) ? textOf(value.at(-1)) : String(value);
};

/** CloudEvents attributes travel as headers of the message (binary mode), each as text. */
export const headersOf = (headers: EventHeaders): Record<string, string> => {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) given[name] = value;
  return given;
};

const decodeHeaders = ({ headers = {} }: KafkaMessage): Record<string, string> => {
  const read: Record<string, string> = {};
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value !== undefined) read[name] = textOf(value);
  }
  return read;
};

/** A message as the bus knows it. What is no JSON is kept as the text that it is, with the fault said. */
export const loggedRecord = (message: KafkaMessage): LoggedRecord => {
  const record = {
    offset: Number(message.offset),
    key: message.key?.toString() ?? '',
    headers: decodeHeaders(message),
  };
  const text = message.value?.toString() ?? '';
  if (message.key === null || message.key.length === 0) {
    return { ...record, value: text, fault: 'key_missing: the message has no key' };
  }
  return withJsonValue(record, text);
};
