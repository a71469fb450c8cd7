import type { Place } from '@gridbourse/events';
import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Liveness } from '../domain/liveness.ts';
import { money, safeInteger } from './columns.ts';

@Entity('providers')
export class ProviderEntity {
  @PrimaryColumn({ name: 'provider_id', type: 'text' })
  providerId!: string;

  @Column({ name: 'account_id', type: 'text' })
  accountId!: string;

  /** Lower case hex with 0x. */
  @Column({ type: 'text' })
  wallet!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ type: 'text' })
  region!: string;

  @Column({ type: 'jsonb' })
  place!: Place;

  @Column({ type: 'jsonb' })
  attributes!: Record<string, string>;

  @Column({ type: 'boolean' })
  staked!: boolean;

  @Column({ type: 'boolean' })
  suspended!: boolean;

  @Column({ type: 'text' })
  liveness!: Liveness;

  @Column({ type: 'smallint' })
  tier!: number;

  @Column({ name: 'chain_provider_id', type: 'bigint', nullable: true, transformer: safeInteger })
  chainProviderId!: number | null;

  @Column({ name: 'stake_micros', type: 'bigint', transformer: money })
  stakeMicros!: bigint;

  @Column({ name: 'registered_at_ms', type: 'bigint', transformer: safeInteger })
  registeredAtMs!: number;
}
