import { gpuSharing, interconnect, offerGpu, offerPublished, type Place } from '@gridbourse/events';
import type { AccountId, OfferId, ProviderId } from '@gridbourse/kernel';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import { z } from 'zod';
import type { Offer, Presence, Provider } from '../domain/market.ts';
import { integer, micros } from './column-types.ts';

@Entity('providers')
export class ProviderEntity {
  @PrimaryColumn({ name: 'provider_id', type: 'text' }) providerId!: ProviderId;
  @Column({ name: 'account_id', type: 'text' }) accountId!: AccountId;
  @Column({ type: 'text' }) name!: string;
  @Column({ type: 'jsonb' }) place!: Place;
  @Column({ type: 'jsonb' }) attributes!: Readonly<Record<string, string>>;
  @Column({ type: 'int' }) tier!: number;
  @Column({ type: 'double precision', nullable: true }) uptime!: number | null;
  @Column({ name: 'eras_closed', type: 'int' }) erasClosed!: number;
  @Column({ type: 'boolean' }) activated!: boolean;
  @Column({ name: 'chain_provider_id', type: 'bigint', nullable: true, transformer: integer })
  chainProviderId!: number | null;
  @Column({ type: 'boolean' }) suspended!: boolean;
  @Column({ type: 'text' }) presence!: Presence;
  @Column({ type: 'bigint', transformer: integer }) sequence!: number;
}

export const providerOf = (row: ProviderEntity): Provider => ({ ...row });

/**
 * The parts of a published offer that matching needs, in the JSON form of the published language. A process of the release
 * before, which knew neither sharing nor networks, may have written a row between our migrations and our becoming the writer.
 */
const offerBody = offerPublished.schema
  .pick({ nodes: true, price: true, policy: true, storageClasses: true })
  .extend({
    gpu: offerGpu.extend({ sharing: gpuSharing.prefault({ mode: 'whole' }) }).nullable(),
    interconnect: interconnect.prefault('ethernet'),
  });

@Entity('offers')
export class OfferEntity {
  @PrimaryColumn({ name: 'offer_id', type: 'text' }) offerId!: OfferId;
  @Column({ name: 'provider_id', type: 'text' }) providerId!: ProviderId;
  @Column({ type: 'int' }) revision!: number;
  @Column({ type: 'jsonb' }) body!: z.input<typeof offerBody>;
  @Column({ type: 'boolean' }) withdrawn!: boolean;
}

export const offerRow = ({ offerId, providerId, revision, withdrawn, ...body }: Offer): OfferEntity => ({
  offerId,
  providerId,
  revision,
  withdrawn,
  body: z.encode(offerBody, {
    gpu: body.gpu,
    nodes: [...body.nodes],
    price: body.price,
    policy: body.policy,
    storageClasses: [...body.storageClasses],
    interconnect: body.interconnect,
  }),
});

export const offerOfRow = ({ offerId, providerId, revision, withdrawn, body }: OfferEntity): Offer => ({
  offerId,
  providerId,
  revision,
  withdrawn,
  ...z.decode(offerBody, body),
});

@Entity('escrow_balances')
export class EscrowBalanceEntity {
  @PrimaryColumn({ name: 'account_id', type: 'text' }) accountId!: AccountId;
  @Column({ name: 'free_micros', type: 'bigint', transformer: micros }) freeMicros!: bigint;
  @Column({ name: 'at_ms', type: 'bigint', transformer: integer }) atMs!: number;
}
