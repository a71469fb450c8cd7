import { describe, expect, it } from '@jest/globals';
import { isNotAMember, isRefused, protocolError } from './errors.ts';
import { kafkaConfig } from './kafka-config.ts';
import { loggedRecord } from './message.ts';

const faults = (input: unknown): string[] =>
  (kafkaConfig.safeParse(input).error?.issues ?? []).map(({ path }) => path.join('.'));

describe('the configuration of Kafka', () => {
  it('needs no more than an address', () => {
    expect(kafkaConfig.parse({ brokers: 'a:9092, b:9092' })).toMatchObject({
      brokers: ['a:9092', 'b:9092'],
      ssl: false,
      retentionMs: -1,
    });
  });

  it.each([
    ['no address', {}, ['brokers']],
    ['no port', { brokers: ['a'] }, ['brokers.0']],
    ['heartbeats that are too far apart', { brokers: 'a:1', heartbeatMs: 6_000 }, ['heartbeatMs']],
    ['more copies in sync than there are', { brokers: 'a:1', minInSyncReplicas: 2 }, ['minInSyncReplicas']],
    [
      'an unknown mechanism',
      { brokers: 'a:1', sasl: { mechanism: 'gssapi', username: 'u', password: 'p' } },
      ['sasl.mechanism'],
    ],
    ['a partition count of none', { brokers: 'a:1', partitions: 0 }, ['partitions']],
  ])('refuses %s', (_, input, expected) => expect(faults(input)).toEqual(expected));
});

describe("kafkajs's errors", () => {
  it('are known by the name of the protocol, through wrappers', () => {
    const inner = Object.assign(new Error('x'), { type: 'UNKNOWN_MEMBER_ID' });
    const outer = new Error('wrapped', { cause: inner });
    expect(protocolError(outer)).toBe('UNKNOWN_MEMBER_ID');
    expect(isNotAMember(outer)).toBe(true);
    expect(isRefused(outer)).toBe(false);
    expect(protocolError('text')).toBeNull();
  });
});

describe('a message that no publisher of ours has made', () => {
  const message = (key: string | null, value: string | null) =>
    loggedRecord({
      key: key === null ? null : Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      offset: '7',
      headers: {},
    } as never);

  it.each([
    ['is no JSON', message('k', 'not json'), /^value_not_json/],
    ['is a tombstone', message('k', null), /^value_not_json/],
    ['has no key', message(null, '{}'), /^key_missing/],
  ])('is kept with its fault when it %s', (_, record, fault) => {
    expect(record.offset).toBe(7);
    expect(record.fault).toMatch(fault);
  });

  it('is an ordinary record otherwise', () => {
    expect(message('k', '{"a":1}')).toEqual({ offset: 7, key: 'k', headers: {}, value: { a: 1 } });
  });
});
