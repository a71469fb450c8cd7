import { notFound } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { leaseOfRow, type LeaseRow } from '../../adapters/lease.row.ts';
import type { Agreement, BilledLease } from '../../domain/lease.ts';

const READ = `SELECT * FROM leases WHERE lease_id = $1 AND account_id = $2`;

/** Leases of the caller; those of others do not exist for it. */
@Injectable()
export class OwnLease {
  constructor(private readonly dataSource: DataSource) {}

  /** @throws DomainError `lease_not_found` */
  async read(leaseId: string, accountId: string): Promise<{ lease: BilledLease; agreement: Agreement }> {
    const [row] = await this.dataSource.query<LeaseRow[]>(READ, [leaseId, accountId]);
    const lease = row && leaseOfRow(row);
    if (!lease?.agreement) throw notFound('lease', leaseId);
    return { lease, agreement: lease.agreement };
  }
}
