import type { Fact, HearingReadModel } from '@gridbourse/event-store';
import {
  type DomainEvent,
  escrowExhausted,
  escrowLow,
  leaseFundingFailed,
  leaseSettled,
  leaseTermChanged,
  settlementConfirmed,
  workloadEvents,
} from '@gridbourse/events';
import { conflict, type LeaseId } from '@gridbourse/kernel';
import { matchmakerCatalogue } from '../event-catalogue.ts';
import { addToTimeline, ordersOfLeases, type TimelinePoint } from './timeline-rows.ts';
import { type LifeEvent, timelineItem } from './timeline-text.ts';

type Heard = TimelinePoint & { readonly event: LifeEvent & { readonly leaseId: LeaseId } };

/**
 * Where and when a fact stands in the timeline, as it was decided when it was told.
 * @returns null for a decision of our own: its events say where it stands, and no row is kept of it
 * @throws DomainError conflict `journal_incomplete` for one that does not: its row cannot be made anew
 */
const heardOf = (fact: Fact<DomainEvent>): Heard | null => {
  if ('heard' in fact) {
    const { event, heardAtMs: atMs, note } = fact.heard;
    return { event: event as Heard['event'], atMs, place: (note as { place: string }).place };
  }
  const { streamId, metadata } = fact.own;
  if (metadata['timeline']) return null;
  throw conflict('journal_incomplete', `${streamId} has events that do not know their place in the timeline`);
};

/**
 * What this service heard of the others about its orders, in the order in which it was committed. What it decided itself
 * is read from its events (`TimelineReader`). Which order a lease belongs to is looked up among the leases: rebuild
 * `orders` first where they are wrong.
 */
export const timelineReadModel: HearingReadModel<DomainEvent> = {
  name: 'timeline',
  version: 2,
  tables: ['timeline'],
  types: matchmakerCatalogue.all().map(({ type }) => type),
  hears: [
    ...workloadEvents.filter(({ type }) => type !== 'UsageRecorded'),
    ...[leaseFundingFailed, escrowLow, escrowExhausted, leaseTermChanged, settlementConfirmed, leaseSettled],
  ],
  project: async (manager, facts) => {
    const heard = facts.map(heardOf).filter((one) => one !== null);
    const orders = await ordersOfLeases(manager, [...new Set(heard.map(({ event }) => event.leaseId))]);
    const rows = heard.flatMap(({ event, place, atMs }) => {
      const item = timelineItem(event);
      const orderId = orders.get(event.leaseId);
      if (!item || orderId === undefined) return [];
      return [{ ...item, place, atMs, orderId, leaseId: event.leaseId }];
    });
    await addToTimeline(manager, rows);
  },
};
