import { type Caller } from '@gridbourse/api';
import { isId, notFound } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import { type Workload, WorkloadStore } from '../../adapters/workload-store.ts';

/** The one way from a request to a workload. */
@Injectable()
export class OwnWorkload {
  constructor(private readonly store: WorkloadStore) {}

  /** @throws DomainError `workload_not_found`, also for one that is not the caller's: it learns nothing of others' */
  async find(leaseId: string, caller: Caller): Promise<Workload> {
    const workload = isId('lease', leaseId) ? await this.store.find(leaseId) : null;
    if (!workload || workload.accountId !== caller.accountId)
      throw notFound('workload', leaseId.slice(0, 60));
    return workload;
  }
}
