import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintNumber } from './bigint-number.ts';

/** An API key as every service knows it: its hash, never the key. */
@Entity('api_keys')
export class ApiKeyEntity {
  @PrimaryColumn({ name: 'api_key_id', type: 'text' })
  apiKeyId!: string;

  @Column({ name: 'account_id', type: 'text' })
  accountId!: string;

  /** SHA-256 of the whole key, hexadecimal. */
  @Column({ name: 'key_hash', type: 'text', unique: true })
  keyHash!: string;

  @Column({ type: 'text', array: true })
  scopes!: string[];

  @Column({ name: 'expires_at_ms', type: 'bigint', nullable: true, transformer: bigintNumber })
  expiresAtMs!: number | null;

  @Column({ name: 'revoked_at_ms', type: 'bigint', nullable: true, transformer: bigintNumber })
  revokedAtMs!: number | null;
}
