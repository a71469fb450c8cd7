import { type EventHeaders, readEventHeaders } from '@gridbourse/events';
import { DomainError } from '@gridbourse/kernel';
import type { PublishedRecord } from '../port.ts';

/** Bytes of one record's JSON that every adapter carries unless told otherwise. */
export const DEFAULT_MAX_RECORD_BYTES = 2 * 1_024 * 1_024;

const TOPIC = /^[a-z0-9][a-z0-9.-]{0,199}$/;

const invalidRecord = (message: string): DomainError => new DomainError('invalid', 'invalid_record', message);

/** @throws DomainError `invalid_record` */
export const checkedTopic = (topic: string): string => {
  if (!TOPIC.test(topic)) throw invalidRecord(`"${topic.slice(0, 80)}" is not the name of a topic`);
  return topic;
};

/**
 * What every adapter demands of a record, so that one that is taken by one is taken by all.
 * @throws DomainError `invalid_record`, `record_too_large`
 */
export const checkedRecord = (
  record: PublishedRecord,
  maxBytes = DEFAULT_MAX_RECORD_BYTES,
): { readonly headers: EventHeaders; readonly text: string; readonly bytes: number } => {
  const { topic, key, headers } = record;
  checkedTopic(topic);
  if (key.length === 0 || key.length > 200 || key.includes('\0') || !key.isWellFormed()) {
    throw invalidRecord('the key of a record has 1 to 200 characters of well-formed text, none of them NUL');
  }
  const read = readEventHeaders(headers);
  if (typeof read === 'string') throw invalidRecord(`headers of ${topic} ${key}: ${read}`);
  const text = 'json' in record ? record.json : JSON.stringify(record.value ?? null);
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    throw new DomainError(
      'invalid',
      'record_too_large',
      `a record of ${topic} is larger than ${maxBytes} bytes`,
    );
  }
  return { headers: read, text, bytes };
};
