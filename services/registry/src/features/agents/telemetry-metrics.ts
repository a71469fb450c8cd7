import { METER } from '@gridbourse/api';
import type { Counter, Histogram, Meter } from '@gridbourse/observability';
import { Inject, Injectable } from '@nestjs/common';

/** What an operator watches of telemetry. */
@Injectable()
export class TelemetryMetrics {
  /** By `result`: `taken`, or the code of the refusal. */
  readonly heartbeats: Counter;
  /** By `kind` and `result`: `answered`, `missed`, `wrong`. */
  readonly challenges: Counter;
  readonly responseMs: Histogram;
  readonly xidErrors: Counter;
  private readonly meter: Meter;

  constructor(@Inject(METER) meter: Meter) {
    this.meter = meter;
    this.heartbeats = meter.createCounter('gridbourse_registry_heartbeats', {
      description: 'Heartbeats of provider agents by what became of them',
    });
    this.challenges = meter.createCounter('gridbourse_registry_challenges', {
      description: 'Challenges whose outcome is known',
    });
    this.responseMs = meter.createHistogram('gridbourse_registry_challenge_response', {
      description: 'Time to a right answer',
      unit: 'ms',
      advice: { explicitBucketBoundaries: [10, 25, 50, 100, 180, 260, 340, 420, 500, 1_000, 5_000] },
    });
    this.xidErrors = meter.createCounter('gridbourse_registry_xid_errors', {
      description: 'GPU errors that agents reported, by XID',
    });
  }

  /** Gauges that are read when somebody asks. */
  observe(name: string, description: string, read: () => number): void {
    this.meter.createObservableGauge(name, { description }).addCallback((result) => result.observe(read()));
  }
}
