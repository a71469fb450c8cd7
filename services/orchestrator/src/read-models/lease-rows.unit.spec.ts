import { EventCatalogue, leaseProposed, nextVersion, publishedLanguage } from '@gridbourse/events';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { leaseOf } from '../../test/support/fixtures.ts';
import { proposalOf } from './lease-rows.ts';

const proposal = leaseOf();
const { durationSeconds } = proposal;
const { data } = publishedLanguage.encode(proposal);
/** A version of tomorrow, in which a lease says in what currency it is paid. */
const tomorrow = new EventCatalogue([
  nextVersion(leaseProposed, {
    schema: leaseProposed.schema.extend({ currency: z.string() }),
    upcast: (fields) => ({ ...fields, currency: 'USDC' }),
  }),
]);

describe('a proposal that is kept', () => {
  it('is read as it was written', () => {
    expect(proposalOf({ proposal: data, proposalVersion: 1, durationSeconds })).toEqual(proposal);
  });

  it('has the duration that the lease has by now', () => {
    const longer = proposalOf({ proposal: data, proposalVersion: 1, durationSeconds: 2 * durationSeconds });
    expect(longer).toEqual({ ...proposal, durationSeconds: 2 * durationSeconds });
  });

  it('goes through the upcasters once there is a newer version, by the version beside it', () => {
    expect(proposalOf({ proposal: data, proposalVersion: 1, durationSeconds }, tomorrow)).toEqual({
      ...proposal,
      currency: 'USDC',
    });
    const newer = { ...(data as object), currency: 'EURC' };
    expect(proposalOf({ proposal: newer, proposalVersion: 2, durationSeconds }, tomorrow)).toMatchObject({
      currency: 'EURC',
    });
  });

  it('is refused where it was written by a service of tomorrow', () => {
    expect(() => proposalOf({ proposal: data, proposalVersion: 2, durationSeconds })).toThrow(
      'schema version 2',
    );
  });
});
