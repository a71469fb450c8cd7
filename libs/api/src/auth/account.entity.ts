import { Column, Entity, PrimaryColumn } from 'typeorm';
import { bigintNumber } from './bigint-number.ts';

/** An account as every service knows it; the registry owns it. */
@Entity('accounts')
export class AccountEntity {
  @PrimaryColumn({ name: 'account_id', type: 'text' })
  accountId!: string;

  /** Lower case hex with 0x. */
  @Column({ type: 'text', unique: true })
  wallet!: string;

  @Column({ type: 'text' })
  name!: string;

  @Column({ name: 'opened_at_ms', type: 'bigint', transformer: bigintNumber })
  openedAtMs!: number;
}
