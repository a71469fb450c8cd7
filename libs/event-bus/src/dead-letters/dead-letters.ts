import { DomainError } from '@gridbourse/kernel';
import pg from 'pg';
import { WAKE_CHANNEL, WAKE_FOR_REPLAY } from './wake.ts';

export type DeadLetter = {
  readonly id: string;
  readonly group: string;
  /** The topic it came from. */
  readonly topic: string;
  /** Where operators find it: `<topic>.dlq`. */
  readonly deadLetterTopic: string;
  readonly key: string;
  readonly headers: unknown;
  readonly value: unknown;
  /** `failed`: could not be handled. `waiting`: came behind a failed one. `skipping`: to be skipped in its turn. */
  readonly state: 'failed' | 'waiting' | 'skipping' | 'replayed' | 'skipped';
  readonly error: string | null;
  /** Stable, snake_case; null where the error had none. */
  readonly errorCode: string | null;
  readonly attempts: number;
  readonly skipReason: string | null;
  readonly deadAtMs: number;
  readonly settledAtMs: number | null;
};

type Row = Omit<DeadLetter, 'deadLetterTopic' | 'deadAtMs' | 'settledAtMs'> & {
  dead_at_ms: string;
  settled_at_ms: string | null;
};

const SELECT = `
  SELECT id, consumer_group AS "group", topic, key, headers, value, state, error, attempts,
         error_code AS "errorCode", skip_reason AS "skipReason", floor(extract(epoch FROM dead_at) * 1000) AS dead_at_ms,
         floor(extract(epoch FROM settled_at) * 1000) AS settled_at_ms
  FROM bus_dead_letters`;

const letterOf = ({ dead_at_ms, settled_at_ms, ...letter }: Row): DeadLetter => ({
  ...letter,
  deadLetterTopic: `${letter.topic}.dlq`,
  deadAtMs: Number(dead_at_ms),
  settledAtMs: settled_at_ms === null ? null : Number(settled_at_ms),
});

/** Ids are numbers from 1: what is none names nothing. */
const numberOf = (id: string): string => (/^\d{1,18}$/.test(id) ? id : '0');

/**
 * What an operator does with records that could not be handled. The work is asked for here and done by the member of
 * the group that owns the key, within the time in which it looks at its partitions (0.5 s).
 */
export class DeadLetters {
  private readonly pool: pg.Pool;

  constructor({ databaseUrl }: { databaseUrl: string }) {
    this.pool = new pg.Pool({
      connectionString: databaseUrl,
      max: 2,
      connectionTimeoutMillis: 10_000,
      application_name: 'gridbourse-bus dead letters',
    });
    this.pool.on('error', () => undefined); // an idle connection that is lost is replaced by the next query
  }

  /** Oldest first. Without `settled` only those that are open. At most `limit` (100, up to 1000) after `afterId`. */
  async list(
    filter: {
      group?: string;
      topic?: string;
      key?: string;
      settled?: boolean;
      afterId?: string;
      limit?: number;
    } = {},
  ): Promise<DeadLetter[]> {
    const { rows } = await this.pool.query<Row>(
      `${SELECT}
       WHERE ($1::text IS NULL OR consumer_group = $1) AND ($2::text IS NULL OR topic = $2)
         AND ($3::text IS NULL OR key = $3) AND (settled_at IS NOT NULL) = $4 AND id > $5::bigint
       ORDER BY id LIMIT $6`,
      [
        filter.group ?? null,
        filter.topic ?? null,
        filter.key ?? null,
        filter.settled ?? false,
        filter.afterId ?? '0',
        Math.min(1_000, Math.max(1, filter.limit ?? 100)),
      ],
    );
    return rows.map(letterOf);
  }

  /**
   * One dead letter, settled or not, with what was published.
   * @throws DomainError `dead_letter_not_found`
   */
  async get(id: string): Promise<DeadLetter> {
    const { rows } = await this.pool.query<Row>(`${SELECT} WHERE id = $1`, [numberOf(id)]);
    if (!rows[0])
      throw new DomainError('not_found', 'dead_letter_not_found', `no dead letter ${id.slice(0, 40)}`);
    return letterOf(rows[0]);
  }

  /**
   * Delivers the dead letters of a key again, in order, and then lets its later records pass. When one fails again the
   * rest stays parked.
   * @throws DomainError `parked_key_not_found`
   */
  async replay(which: { group: string; topic: string; key: string }): Promise<void> {
    const { rowCount } = await this.pool.query(
      `UPDATE bus_parked_keys SET replay_requested = true
       WHERE consumer_group = $1 AND topic = $2 AND key = $3`,
      [which.group, which.topic, which.key],
    );
    if (rowCount === 0) {
      throw new DomainError(
        'not_found',
        'parked_key_not_found',
        `${which.group} has no parked key ${which.key} in ${which.topic}`,
      );
    }
    // The members of an embedded group listen; those of a Kafka group look by themselves.
    await this.pool.query('SELECT pg_notify($1, $2)', [WAKE_CHANNEL, WAKE_FOR_REPLAY]);
  }

  /**
   * Gives up one dead letter, for a reason that is kept, and replays what waits behind it. The consumer notes its
   * sequence as taken without calling a handler.
   * @throws DomainError `dead_letter_not_found` when there is none, or it is settled
   */
  async skip(id: string, reason: string): Promise<void> {
    if (reason.trim() === '') throw new DomainError('invalid', 'reason_missing', 'say why it is skipped');
    const { rows } = await this.pool.query<{ group: string; topic: string; key: string }>(
      `UPDATE bus_dead_letters SET state = 'skipping', skip_reason = $2
       WHERE id = $1 AND settled_at IS NULL
       RETURNING consumer_group AS "group", topic, key`,
      [numberOf(id), reason.slice(0, 2_000)],
    );
    if (!rows[0]) throw new DomainError('not_found', 'dead_letter_not_found', `no open dead letter ${id}`);
    await this.replay(rows[0]);
  }

  async close(): Promise<void> {
    await this.pool.end();
  }
}
