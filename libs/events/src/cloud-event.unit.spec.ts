import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type EventHeaders, eventHeaders, readEventHeaders } from './cloud-event.ts';

const sound: EventHeaders = {
  ce_specversion: '1.0',
  ce_id: 'order_1@1',
  ce_type: 'gridbourse.matchmaker.OrderSubmitted.v1',
  ce_source: '/gridbourse/matchmaker',
  ce_time: '2026-02-28T23:59:59.000Z',
  ce_subject: 'order_1',
  ce_dataschema: '/gridbourse/schemas/matchmaker.OrderSubmitted.v1.json',
  sequence: '1',
};

const NAMES = [...Object.keys(sound), 'traceparent', 'other'];

/** Around the borders of what is taken, and far from them. */
const values: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    ...[undefined, null, 1, '', '1.0', '0', '000000000000001', '1234567890123456', ' 1', '1e3', '-1'],
    ...['2026-02-29T00:00:00Z', '2024-02-29T00:00:00Z', '2026-02-28T24:00:00Z', '2026-02-28T23:59Z'],
    ...['2026-02-28T23:59:59.123456789Z', '2026-02-28T23:59:59+00:00', '2026-13-01T00:00:00Z'],
    ...['2026-04-31T00:00:00Z', '2026-04-30T00:00:00Z', '2026-12-31T23:59:59Z', '2026-11-31T00:00:00Z'],
    ...['2026-02-28T23:59:60Z', '2026-02-28 23:59:59Z', '2026-02-28T23:59:59', '99999-01-01T00:00:00Z'],
  ),
  fc.integer({ min: 95, max: 305 }).map((length) => 'x'.repeat(length)),
  fc.string(),
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
);

describe('the headers of an event', () => {
  it('are read without what is not ours', () => {
    expect(readEventHeaders({ ...sound, traceparent: '00-a', other: 'x' })).toEqual({
      ...sound,
      traceparent: '00-a',
    });
  });

  it('are refused with what is wrong and where', () => {
    expect(readEventHeaders({ ...sound, sequence: 'x' })).toContain('sequence');
    expect(readEventHeaders(null)).toContain('object');
  });

  it('are what the schema takes, however they are spoilt', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom(...NAMES), values), { maxLength: 3 }), (changes) => {
        const headers = { ...sound, ...Object.fromEntries(changes) };
        const parsed = eventHeaders.safeParse(headers);
        expect(readEventHeaders(headers)).toEqual(parsed.success ? parsed.data : parsed.error.message);
      }),
      { numRuns: 3_000 },
    );
  });
});
