import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { brokenReleases, describeBroken, unreleased } from '../src/compatibility/index.ts';
import {
  type EventDefinition,
  leaseClosing,
  leaseFunded,
  nextVersion,
  orderCancelled,
  publishedEvents,
  wireSchemaOf,
} from '../src/index.ts';
import { readReleased } from '../tools/release-files.ts';
import { EVENTS_PAGE, ROOT } from '../tools/repository.ts';

const released = readReleased();

/** The published language with one event replaced, or left out. */
const withChanged = (type: string, changed: EventDefinition | null): EventDefinition[] =>
  (publishedEvents as readonly EventDefinition[]).flatMap((event) =>
    event.type === type ? (changed ? [changed] : []) : [event],
  );

const messageOf = (type: string, changed: EventDefinition | null): string =>
  describeBroken(brokenReleases(released, withChanged(type, changed)));

const onlyNow = leaseClosing.schema.shape.reason;
const courtReason = z.enum([...onlyNow.options, 'court']);

describe('the release record', () => {
  it('is kept: nobody who reads or writes a released event is left behind', () => {
    expect(describeBroken(brokenReleases(released, publishedEvents))).toBe('');
  });

  it('is complete: npm run events -- release has been run', () => {
    expect(unreleased(released, publishedEvents).map(({ name, revision }) => `${name} r${revision}`)).toEqual(
      [],
    );
  });

  it('says who would be left behind by a reason that is new', () => {
    const changed = { ...leaseClosing, schema: leaseClosing.schema.extend({ reason: courtReason }) };
    const options = onlyNow.options.map((option) => `"${option}"`).join(' | ');
    expect(messageOf('LeaseClosing', changed)).toBe(
      [
        'matchmaker.LeaseClosing.v1 (release record, revision 1)',
        '  /reason: enum',
        `    was  ${options}`,
        `    is   ${options} | "court"`,
        '    breaks the old consumer: a service of the last release could not read what a new one writes',
        '  Give the event a new version with an upcaster: nextVersion, see docs/events.md.',
      ].join('\n'),
    );
  });

  it('says who would be left behind by a field that is new and required, and by one that is gone', () => {
    const more = { ...leaseFunded, schema: leaseFunded.schema.extend({ blockNumber: z.int() }) };
    const message = messageOf('LeaseFunded', more);
    expect(message).toContain('breaks the new consumer');
    expect(readFileSync(join(ROOT, EVENTS_PAGE), 'utf8')).toContain(`\`\`\`\n${message}\n\`\`\``);
    const fewer = { ...orderCancelled, schema: orderCancelled.schema.omit({ detail: true }) };
    expect(messageOf('OrderCancelled', fewer)).toContain(
      '  /detail: required\n    was  required\n    is   absent',
    );
  });

  it('does not let an event go, or move to another topic', () => {
    expect(messageOf('LeaseFunded', null)).toContain('it is no longer defined');
    expect(messageOf('LeaseFunded', { ...leaseFunded, aggregate: 'funding' })).toContain(
      'it moved from gridbourse.matchmaker.lease to gridbourse.matchmaker.funding',
    );
  });

  it('lets the same change pass as a new version with an upcaster', () => {
    const next = nextVersion(leaseClosing, {
      schema: leaseClosing.schema.extend({ reason: courtReason }),
      upcast: (fields) => fields,
    });
    expect(messageOf('LeaseClosing', next)).toBe('');
    expect(unreleased(released, withChanged('LeaseClosing', next))).toEqual([
      { name: 'matchmaker.LeaseClosing.v2', revision: 1, schema: wireSchemaOf(next) },
    ]);
  });

  it('takes an optional field as a next revision, and then holds it to that', () => {
    const noted = (note: z.ZodType) => ({ ...leaseFunded, schema: leaseFunded.schema.extend({ note }) });
    const fresh = unreleased(released, withChanged('LeaseFunded', noted(z.string().optional())));
    expect(fresh.map(({ name, revision }) => [name, revision])).toEqual([['matchmaker.LeaseFunded.v1', 2]]);
    const later = withChanged('LeaseFunded', noted(z.int().optional()));
    expect(brokenReleases(released, later)).toEqual([]);
    expect(describeBroken(brokenReleases([...released, ...fresh], later))).toContain('/note: type');
  });

  it('does not take other words for another schema', () => {
    const described = { ...leaseFunded, schema: leaseFunded.schema.describe('in other words') };
    expect(unreleased(released, withChanged('LeaseFunded', described))).toEqual([]);
  });
});
