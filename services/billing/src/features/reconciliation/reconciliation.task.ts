import { CLOCK, LOGGER, METER, Outbox, PeriodicTasks, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock } from '@gridbourse/kernel';
import type { Logger, Meter } from '@gridbourse/observability';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { readSnapshot } from '../../adapters/snapshot.ts';
import type { BillingConfig } from '../../billing.config.ts';
import {
  distinctFindings,
  type Finding,
  reconcileLease,
  reconcileTenant,
} from '../../domain/reconciliation.ts';
import { BreakBook } from './break-book.ts';
import { LeaseViews } from './lease-views.ts';
import { type ReconcilableTenant, TenantViews } from './tenant-views.ts';

const PAGE = 200;
/** Openings on chain that belong to no lease of ours. */
const STRANGERS = `
  SELECT r.lease_key, r.tenant, r.lock_micros FROM chain_lease_rows r
  WHERE r.live AND r.kind = 'opened' AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.lease_ref = r.lease_ref)
  ORDER BY r.lease_key LIMIT ${PAGE}`;
/** A lease key has 26 characters. */
const OPEN_STRANGERS = `
  SELECT subject FROM breaks WHERE state <> 'resolved' AND subject LIKE '0x%' AND length(subject) = 26`;

const WAITING = `SELECT count(*) AS waiting FROM ledger_waiting WHERE since_ms < $1`;

type StrangerRow = { lease_key: string; tenant: string; lock_micros: string };

/** Whose leases and books: null for everything that is not known to agree. */
export type Scope = { readonly accountId: string; readonly wallet: string } | null;

export type Reconciliation = {
  readonly leases: number;
  readonly tenants: number;
  readonly findings: readonly Finding[];
};

/** Compares meter, ledger and chain, on our own clock and on demand. */
@Injectable()
export class ReconciliationTask implements OnApplicationBootstrap {
  private readonly disagreements;

  constructor(
    private readonly tasks: PeriodicTasks,
    private readonly dataSource: DataSource,
    private readonly outbox: Outbox,
    private readonly leaseViews: LeaseViews,
    private readonly tenantViews: TenantViews,
    private readonly breaks: BreakBook,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(SERVICE_CONFIG) private readonly config: BillingConfig,
    @Inject(METER) meter: Meter,
  ) {
    this.disagreements = meter.createGauge('gridbourse_reconciliation_findings', {
      description: 'Disagreements of meter, ledger and chain in the last look, those under way included',
    });
  }

  onApplicationBootstrap(): void {
    const everyMs = this.config.reconcileEveryMs;
    this.tasks.every({ name: 'reconcile', everyMs, singleOwner: true }, async (signal) => {
      const { findings, leases, tenants } = await this.reconcile(null, signal);
      this.disagreements.record(findings.length);
      if (findings.length > 0) {
        this.logger.warn({ findings: findings.slice(0, 20), leases, tenants }, 'the books disagree');
      }
    });
  }

  /** @returns what was found now; a finding becomes a break when it lasts (config.breakGraceMs) */
  async reconcile(scope: Scope, signal?: AbortSignal): Promise<Reconciliation> {
    const leases = await this.pages(signal, (after) => this.leasePage(scope, after));
    const tenants = await this.pages(signal, (after) => this.tenantPage(scope, after));
    const rest = scope === null ? await this.platform() : [];
    this.outbox.wake();
    return {
      leases: leases.count,
      tenants: tenants.count,
      findings: [...leases.findings, ...tenants.findings, ...rest],
    };
  }

  private async leasePage(scope: Scope, after: string) {
    const page = await this.leaseViews.page({ after, limit: PAGE, accountId: scope?.accountId ?? null });
    const now = this.clock.now();
    const checked = page.map((lease) => ({
      lease,
      ended: lease.ended,
      findings: distinctFindings(reconcileLease(lease.view, now, this.config.overdueAfterMs)),
    }));
    const findings = checked.flatMap((one) => one.findings);
    const agreed = checked.filter((one) => one.ended && one.findings.length === 0).map(({ lease }) => lease);
    await this.dataSource.transaction(async (manager) => {
      const accounts = new Map(page.map((one) => [one.view.leaseId as string, one.accountId]));
      const accountOf = (subject: string): string | null => accounts.get(subject) ?? null;
      await this.breaks.record(manager, { subjects: [...accounts.keys()], findings, accountOf });
      await this.leaseViews.agreed(manager, agreed);
    });
    return { count: page.length, findings, next: page.at(-1)?.view.leaseId ?? null };
  }

  private async tenantPage(scope: Scope, after: string) {
    const page = await this.tenantViews.page({ after, limit: PAGE, wallet: scope?.wallet ?? null });
    const checked = page.map((tenant) => ({ tenant, findings: findingsOf(tenant) }));
    const findings = checked.flatMap((one) => one.findings);
    await this.dataSource.transaction(async (manager) => {
      const accounts = new Map(page.map((one) => [one.view.wallet, one.accountId]));
      const accountOf = (subject: string): string | null => accounts.get(subject) ?? null;
      await this.breaks.record(manager, { subjects: [...accounts.keys()], findings, accountOf });
      const agreed = checked.filter((one) => one.findings.length === 0).map((one) => one.tenant);
      await this.tenantViews.agreed(manager, agreed);
    });
    const next = scope === null ? (page.at(-1)?.view.wallet ?? null) : null;
    return { count: page.length, findings, next };
  }

  /** What belongs to no single tenant: leases that nobody proposed, and the contract's tokens. */
  private async platform(): Promise<readonly Finding[]> {
    const overdueBefore = this.clock.now() - this.config.overdueAfterMs;
    const { strangers, open, waiting } = await readSnapshot(this.dataSource, async (manager) => ({
      strangers: await manager.query<StrangerRow[]>(STRANGERS),
      open: await manager.query<{ subject: string }[]>(OPEN_STRANGERS),
      waiting: await manager.query<{ waiting: string }[]>(WAITING, [overdueBefore]),
    }));
    const gap = await this.tenantViews.escrowGap();
    const findings = [
      ...strangers.map(strangerFinding),
      ...(gap === null ? [] : [gap]),
      ...waitingFinding(Number(waiting[0]!.waiting)),
    ];
    const fixed = [{ subject: 'escrow' }, { subject: 'ledger' }];
    const subjects = [...new Set([...findings, ...open, ...fixed].map(({ subject }) => subject))];
    await this.dataSource.transaction((manager) =>
      this.breaks.record(manager, { subjects, findings, accountOf: () => null }),
    );
    return findings;
  }

  private async pages(
    signal: AbortSignal | undefined,
    read: (after: string) => Promise<{ count: number; findings: readonly Finding[]; next: string | null }>,
  ): Promise<{ count: number; findings: readonly Finding[] }> {
    let count = 0;
    const findings: Finding[] = [];
    for (let after: string | null = ''; after !== null && signal?.aborted !== true;) {
      const page = await read(after);
      count += page.count;
      findings.push(...page.findings);
      after = page.count < PAGE ? null : page.next;
    }
    return { count, findings };
  }
}

const findingsOf = ({ view, storageGap }: ReconcilableTenant): readonly Finding[] => {
  const findings = reconcileTenant(view);
  return distinctFindings(storageGap === null ? findings : [...findings, storageGap]);
};

const strangerFinding = (row: StrangerRow): Finding => ({
  kind: 'wrong_party',
  subject: row.lease_key,
  meterMicros: null,
  ledgerMicros: null,
  chainMicros: BigInt(row.lock_micros),
  detail: `a lease of ${row.tenant} is on chain that no order of ours has made`,
});

/** A reorg that was told in part: some of its transfers never fitted the balances. */
const waitingFinding = (waiting: number): readonly Finding[] =>
  waiting === 0
    ? []
    : [
        {
          kind: 'timing',
          subject: 'ledger',
          meterMicros: null,
          ledgerMicros: null,
          chainMicros: null,
          detail: `${waiting} transfers wait for others that the chain has not told of`,
        },
      ];
