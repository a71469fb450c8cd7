import { DomainError } from '@gridbourse/kernel';
import type { DataSource, EntityManager } from 'typeorm';

const TAKE =
  'WITH taken AS (UPDATE writer_epoch SET epoch = epoch + 1 RETURNING epoch) SELECT epoch FROM taken';
const CHECK = 'SELECT epoch FROM writer_epoch WHERE epoch = $1 FOR SHARE';

/**
 * Two processes that both hold the state in memory would sell the same machine twice. Whoever starts last takes the next
 * epoch; every commit checks, under a lock that taking waits for, that its epoch is still the last. So a process that
 * was thought dead and is not can change nothing any more.
 */
export class WriterEpoch {
  private epoch: string | null = null;
  private readonly checked = new WeakSet<EntityManager>();

  constructor(private readonly dataSource: DataSource) {}

  /** Becomes the writer. Waits for a commit of the former one that is under way. @returns the epoch, from 1 */
  async take(): Promise<bigint> {
    const [row] = await this.dataSource.query<{ epoch: string }[]>(TAKE);
    this.epoch = row!.epoch;
    return BigInt(row!.epoch);
  }

  /** Once for each transaction is enough. @throws DomainError `not_the_writer`. */
  async check(manager: EntityManager): Promise<void> {
    if (this.checked.has(manager)) return;
    const rows = await manager.query<unknown[]>(CHECK, [this.epoch]);
    if (rows.length === 0) {
      throw new DomainError('unavailable', 'not_the_writer', 'another process has become the matchmaker');
    }
    this.checked.add(manager);
  }
}
