import { eventually } from '@gridbourse/testing';
import type { DataSource } from 'typeorm';

/**
 * Waits until nothing that was written before can get anything in front of it any more. Other suites use the same server,
 * and a transaction of theirs that stays open keeps readers, and the pages of a rebuild, from what came after it began.
 */
export const settled = async (dataSource: DataSource): Promise<void> => {
  const [now] = await dataSource.query<{ tx: string }[]>('SELECT pg_current_xact_id()::text AS tx');
  await eventually(
    async () => {
      const [row] = await dataSource.query<{ settled: boolean }[]>(
        'SELECT pg_snapshot_xmin(pg_current_snapshot()) > $1::xid8 AS settled',
        [now!.tx],
      );
      return row!.settled;
    },
    { deadlineMs: 30_000 },
  );
};
