import type { Meter } from '@gridbourse/observability';

export type DeliveryOutcome = 'handled' | 'retried' | 'dead' | 'waiting';

/** What the bus counts. Labels are the group and the topic, never a key. */
export class BusMetrics {
  private readonly deliveries;
  private readonly gaps;

  constructor(meter: Meter) {
    this.deliveries = meter.createCounter('bus_deliveries_total', {
      description:
        'Deliveries by outcome: handled, retried, dead (became a dead letter), waiting (behind one)',
    });
    this.gaps = meter.createCounter('bus_inbox_gaps_total', {
      description: 'Records that came before the one that must precede them: must stay 0',
    });
  }

  delivered(labels: { group: string; topic: string }, outcome: DeliveryOutcome, count = 1): void {
    this.deliveries.add(count, { ...labels, outcome });
  }

  gap(labels: { group: string; topic: string }): void {
    this.gaps.add(1, labels);
  }
}
