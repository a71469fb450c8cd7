import { EventStore } from '@gridbourse/event-store';
import type { BillingEvent } from '@gridbourse/events';
import type { Instant, LeaseId } from '@gridbourse/kernel';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { type BilledLease, withOwed } from '../domain/lease.ts';
import { type LeaseRow, leaseOfRow, rowOfLease } from './lease.row.ts';

const CREATE = `
  INSERT INTO leases (lease_id) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT DO NOTHING`;
const LOCK = `SELECT * FROM leases WHERE lease_id = ANY($1::text[]) ORDER BY lease_id FOR UPDATE`;
const LOCK_KEYS = `SELECT * FROM leases WHERE lease_key = ANY($1::text[]) ORDER BY lease_id FOR UPDATE`;
const LOCK_REFS = `SELECT * FROM leases WHERE lease_ref = ANY($1::text[]) ORDER BY lease_id FOR UPDATE`;

const COLUMNS = `
  order_id text, account_id text, tenant text, provider_id text, chain_provider_id bigint, offer_id text,
  group_name text, rate_micros_per_hour bigint, duration_seconds int, lock_micros bigint,
  list_rate_micros_per_hour bigint, lease_ref text, proposed_at_ms bigint, opening text, open_requested_at_ms bigint,
  lease_key text, lapsed_at_ms bigint, opened_at_ms bigint, lock_added_micros bigint,
  lock_freed_micros bigint, stops_at_ms bigint, settled_micros bigint, refunded_micros bigint,
  closed_at_ms bigint, told_paid_micros bigint, told_refunded_micros bigint, cumulative_seconds int, earned_micros bigint,
  counted_to_ms bigint, running_from_ms bigint, degraded_at_ms bigint, meter_closed_at_ms bigint, warned_seconds int,
  exhausted boolean, next_alarm_at_ms bigint, in_flight_id text, in_flight_kind text, retry_not_before_ms bigint,
  failures int, owed_since_ms bigint, stream_version int`;
const NAMES = COLUMNS.split(',').map((column) => column.trim().split(' ')[0]!);
const SAVE = `
  UPDATE leases l SET changes = l.changes + 1, ${NAMES.map((name) => `${name} = r.${name}`).join(', ')}
  FROM jsonb_to_recordset($1::jsonb) AS r (lease_id text, ${COLUMNS}) WHERE l.lease_id = r.lease_id`;

type Held = { before: BilledLease; lease: BilledLease; version: number; events: BillingEvent[] };

/**
 * Leases locked for one transaction. Changes gather here and are written together by `save`: rows in one statement,
 * public events in one append.
 */
export class LeaseSession {
  private readonly held = new Map<LeaseId, Held>();
  private readonly byKey = new Map<string, LeaseId>();
  private readonly byRef = new Map<string, LeaseId>();

  constructor(
    readonly manager: EntityManager,
    private readonly store: EventStore,
    rows: readonly LeaseRow[],
  ) {
    for (const row of rows) {
      const lease = leaseOfRow(row);
      this.held.set(lease.leaseId, { before: lease, lease, version: row.stream_version, events: [] });
      this.index(lease);
    }
  }

  all(): readonly BilledLease[] {
    return [...this.held.values()].map(({ lease }) => lease);
  }

  get(leaseId: LeaseId): BilledLease {
    return this.holding(leaseId).lease;
  }

  withKey(leaseKey: string): BilledLease | null {
    const id = this.byKey.get(leaseKey);
    return id === undefined ? null : this.get(id);
  }

  withRef(leaseRef: string): BilledLease | null {
    const id = this.byRef.get(leaseRef);
    return id === undefined ? null : this.get(id);
  }

  put(lease: BilledLease, events: readonly BillingEvent[] = []): void {
    const held = this.holding(lease.leaseId);
    held.lease = lease;
    held.events.push(...events);
    this.index(lease);
  }

  /** @throws DomainError `version_conflict` when the stream was written past the lock of its lease: a fault of ours */
  async save(now: Instant): Promise<void> {
    const changed = [...this.held.values()].filter(
      ({ before, lease, events }) => before !== lease || events.length > 0,
    );
    if (changed.length === 0) return;
    await this.store.append(
      this.manager,
      changed.map(({ lease, version, events }) => ({
        streamId: lease.leaseId,
        expectedVersion: version,
        events,
      })),
    );
    const rows = changed.map((held) => {
      held.lease = withOwed(held.before, held.lease, now);
      held.version += held.events.length;
      held.events = [];
      held.before = held.lease;
      return rowOfLease(held.lease, held.version);
    });
    await this.manager.query(SAVE, [JSON.stringify(rows)]);
  }

  private holding(leaseId: LeaseId): Held {
    const held = this.held.get(leaseId);
    if (!held) throw new Error(`lease ${leaseId} is not locked by this transaction`);
    return held;
  }

  private index(lease: BilledLease): void {
    if (lease.leaseKey !== null) this.byKey.set(lease.leaseKey, lease.leaseId);
    if (lease.agreement) this.byRef.set(lease.agreement.leaseRef, lease.leaseId);
  }
}

/** Locks leases in the order of their ids, everywhere the same, before anything else is locked. */
@Injectable()
export class LeaseStore {
  constructor(private readonly store: EventStore) {}

  /** Leases that were never heard of begin as a bare id. */
  async lock(manager: EntityManager, leaseIds: readonly LeaseId[]): Promise<LeaseSession> {
    await manager.query(CREATE, [leaseIds]);
    return this.session(manager, LOCK, leaseIds);
  }

  /** Of the keys that a log of the chain names, the leases that are ours. */
  lockKeys(manager: EntityManager, leaseKeys: readonly string[]): Promise<LeaseSession> {
    return this.session(manager, LOCK_KEYS, leaseKeys);
  }

  lockRefs(manager: EntityManager, leaseRefs: readonly string[]): Promise<LeaseSession> {
    return this.session(manager, LOCK_REFS, leaseRefs);
  }

  /** The leases that a query chose, `FOR UPDATE SKIP LOCKED`, for tasks that work off what is due. */
  async lockDue(manager: EntityManager, sql: string, parameters: readonly unknown[]): Promise<LeaseSession> {
    return new LeaseSession(manager, this.store, await manager.query<LeaseRow[]>(sql, [...parameters]));
  }

  private async session(manager: EntityManager, sql: string, keys: readonly string[]): Promise<LeaseSession> {
    return new LeaseSession(manager, this.store, await manager.query<LeaseRow[]>(sql, [keys]));
  }
}
