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
import { conflict, type LeaseId, type OrderId } from '@gridbourse/kernel';
import { matchmakerCatalogue } from '../event-catalogue.ts';
import type { TimelineMetadata } from '../writer/timeline-places.ts';
import { addToTimeline, ordersOfLeases, type TimelinePoint } from './timeline-rows.ts';
import { type LifeEvent, timelineItem } from './timeline-text.ts';

type Told = TimelinePoint & { readonly event: LifeEvent; readonly subject: LeaseId | OrderId };

const isLease = (subject: LeaseId | OrderId): subject is LeaseId => subject.startsWith('lea_');

/** Where and when a fact stands in the timeline, as it was decided when it was told. */
const toldOf = (fact: Fact<DomainEvent>): Told => {
  if ('heard' in fact) {
    const { event, heardAtMs: atMs, note } = fact.heard;
    const { leaseId } = event as LifeEvent & { leaseId: LeaseId };
    return { event: event as LifeEvent, subject: leaseId, atMs, place: (note as { place: string }).place };
  }
  const { event, streamId, version, metadata } = fact.own;
  const timeline = metadata['timeline'] as TimelineMetadata | undefined;
  if (!timeline) {
    throw conflict(
      'journal_incomplete',
      `${streamId} has events that do not know their place in the timeline`,
    );
  }
  const place = timeline.places[version - timeline.firstVersion]!;
  return { event: event as LifeEvent, subject: streamId as LeaseId | OrderId, atMs: timeline.atMs, place };
};

/**
 * The timelines of all orders: what this service decided, and what it heard of the others, in the order in which both
 * were committed. Which order a lease belongs to is looked up among the leases: rebuild `orders` first where they are
 * wrong.
 */
export const timelineReadModel: HearingReadModel<DomainEvent> = {
  name: 'timeline',
  version: 1,
  tables: ['timeline'],
  types: matchmakerCatalogue.all().map(({ type }) => type),
  hears: [
    ...workloadEvents.filter(({ type }) => type !== 'UsageRecorded'),
    ...[leaseFundingFailed, escrowLow, escrowExhausted, leaseTermChanged, settlementConfirmed, leaseSettled],
  ],
  project: async (manager, facts) => {
    const told = facts.map(toldOf);
    const leaseIds = [...new Set(told.map(({ subject }) => subject).filter(isLease))];
    const orders = await ordersOfLeases(manager, leaseIds);
    const rows = told.flatMap(({ event, subject, place, atMs }) => {
      const item = timelineItem(event);
      const orderId = isLease(subject) ? orders.get(subject) : subject;
      if (!item || orderId === undefined) return [];
      return [{ ...item, place, atMs, orderId, leaseId: isLease(subject) ? subject : null }];
    });
    await addToTimeline(manager, rows);
  },
};
