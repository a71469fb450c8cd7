import type { Logger } from '@gridbourse/observability';
import type { Failure, LoggedRecord, OpenLetter, PartitionLetters } from '../delivery/record.ts';
import type { Place } from '../dead-letters/dead-letter-store.ts';
import { delayAfter, pause } from '../retry.ts';
import { NoLongerOwner } from './owner-database.ts';
import type { Publisher } from './publisher.ts';
import { deadLetterTopicOf } from './topics.ts';

const AGAIN = { attempts: Infinity, firstDelayMs: 50, factor: 2, maxDelayMs: 2_000 };

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value ?? null));

/** The copy in `<topic>.dlq`: what was published, and beside it what went wrong and where it lay. */
const deadLetterOf = (place: Place, record: LoggedRecord, { code, error, attempts }: Failure) => {
  const value = record.fault === undefined ? JSON.stringify(record.value ?? null) : String(record.value);
  const headers: Record<string, string> = {};
  for (const [name, header] of Object.entries(record.headers ?? {})) headers[name] = text(header);
  return {
    topic: deadLetterTopicOf(place.topic),
    bytes: Buffer.byteLength(value),
    message: {
      key: record.key,
      value,
      headers: {
        ...headers,
        dlq_error: error,
        ...(code === null ? {} : { dlq_error_code: code }),
        dlq_attempts: String(attempts),
        dlq_group: place.group,
        dlq_topic: place.topic,
        dlq_partition: String(place.partition),
        dlq_offset: String(record.offset),
        dlq_dead_at: new Date().toISOString(),
      },
    },
  };
};

/**
 * Dead letters of a partition of Kafka. The database of the service is the truth; the topic `<topic>.dlq` gets a copy of
 * each record that failed, at least once, before the database notes it. While either is away the key waits.
 */
export class KafkaLetters implements PartitionLetters {
  constructor(
    private readonly store: PartitionLetters,
    private readonly place: Place,
    private readonly publisher: Publisher,
    private readonly stopping: AbortSignal,
    private readonly logger: Logger,
  ) {}

  parkedKeys(): Promise<string[]> {
    return this.store.parkedKeys();
  }

  async park(record: LoggedRecord, failure: Failure | null): Promise<void> {
    if (failure !== null) {
      const letter = deadLetterOf(this.place, record, failure);
      await this.persistently(() => this.publisher.publish([letter]));
    }
    await this.persistently(() => this.store.park(record, failure));
  }

  next(key: string): Promise<OpenLetter | null> {
    return this.persistently(() => this.store.next(key));
  }

  settle(id: string, state: 'replayed' | 'skipped'): Promise<void> {
    return this.persistently(() => this.store.settle(id, state));
  }

  failAgain(letter: OpenLetter, failure: Failure): Promise<void> {
    return this.persistently(() => this.store.failAgain(letter, failure));
  }

  unpark(key: string): Promise<void> {
    return this.persistently(() => this.store.unpark(key));
  }

  /** Until it works, the partition has another owner, or this one stops. */
  private async persistently<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof NoLongerOwner || this.stopping.aborted) throw error;
        this.logger.warn(
          { err: error, ...this.place, tries },
          'a dead letter could not be written and is tried again',
        );
        await pause(delayAfter(AGAIN, Math.min(tries, 12)), this.stopping);
        if (this.stopping.aborted) throw error;
      }
    }
  }
}
