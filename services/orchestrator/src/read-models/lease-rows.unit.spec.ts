import { EventCatalogue, leaseProposed, nextVersion, publishedLanguage } from '@gridbourse/events';
import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { leaseOf, serviceOf } from '../../test/support/fixtures.ts';
import { proposalOf } from './lease-rows.ts';

const proposal = leaseOf();
const { durationSeconds } = proposal;
const { data, schemaVersion } = publishedLanguage.encode(proposal);
/** A version of tomorrow, in which a lease says in what currency it is paid. */
const tomorrow = new EventCatalogue([
  nextVersion(leaseProposed, {
    schema: leaseProposed.schema.extend({ currency: z.string() }),
    upcast: (fields) => ({ ...fields, currency: 'USDC' }),
  }),
]);

describe('a proposal that is kept', () => {
  it('is read as it was written', () => {
    expect(proposalOf({ proposal: data, proposalVersion: schemaVersion, durationSeconds })).toEqual(proposal);
  });

  it('has the duration that the lease has by now', () => {
    const longer = proposalOf({
      proposal: data,
      proposalVersion: schemaVersion,
      durationSeconds: 2 * durationSeconds,
    });
    expect(longer).toEqual({ ...proposal, durationSeconds: 2 * durationSeconds });
  });

  it('goes through the upcasters once there is a newer version, by the version beside it', () => {
    expect(proposalOf({ proposal: data, proposalVersion: schemaVersion, durationSeconds }, tomorrow)).toEqual(
      {
        ...proposal,
        currency: 'USDC',
      },
    );
    const newer = { ...(data as object), currency: 'EURC' };
    expect(
      proposalOf({ proposal: newer, proposalVersion: schemaVersion + 1, durationSeconds }, tomorrow),
    ).toMatchObject({
      currency: 'EURC',
    });
  });

  it('of the time when only whole GPUs were sold is read as one for whole GPUs', () => {
    const gpu = { count: 2, vendor: 'nvidia' as const };
    const model = { model: 'h100', vramMiB: null, interface: null };
    const today = leaseOf({
      services: [
        serviceOf({
          resources: {
            ...{ cpuMillis: 500, memoryMiB: 512, volumes: [] },
            gpu: { ...gpu, sharing: { mode: 'whole' }, models: [{ ...model, migProfile: null }] },
          },
        }),
      ],
    });
    const kept = publishedLanguage.encode(today).data as Record<string, never>;
    const {
      gpu: ofTheOffer,
      group,
      ...rest
    } = kept as unknown as {
      gpu: null;
      group: { services: { resources: object }[]; interconnect?: null; maxProviders?: number };
    };
    const { interconnect, maxProviders, services, ...oldGroup } = group;
    const [service] = services;
    const old = {
      ...rest,
      group: {
        ...oldGroup,
        services: [{ ...service, resources: { ...service!.resources, gpu: { ...gpu, models: [model] } } }],
      },
    };
    expect([ofTheOffer, interconnect, maxProviders]).toEqual([null, null, 1]);
    expect(proposalOf({ proposal: old, proposalVersion: 1, durationSeconds })).toEqual(today);
  });

  it('is refused where it was written by a service of tomorrow', () => {
    expect(() => proposalOf({ proposal: data, proposalVersion: schemaVersion + 1, durationSeconds })).toThrow(
      `schema version ${schemaVersion + 1}`,
    );
  });
});
