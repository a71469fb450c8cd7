import { EventCatalogue, eventFamily, type EventOf, fields } from '@gridbourse/events';
import { EventStore, eventStoreMigrations, migrate } from '@gridbourse/event-store';
import { systemClock } from '@gridbourse/kernel';
import { DataSource } from 'typeorm';
import { z } from 'zod';

/** An event of the size and kind that the ledger and the matchmaker write: ids, an amount, an instant, a short text. */
const amountPosted = eventFamily('bench', 'account')(
  'AmountPosted',
  'An amount went from one account to another.',
  z.object({
    leaseId: z.string(),
    accountId: z.string(),
    amountMicros: fields.micros,
    window: z.int().min(0),
    atMs: fields.instant,
    memo: z.string().max(200),
  }),
);

export type BenchEvent = EventOf<typeof amountPosted>;

export const postingOf = (n: number): BenchEvent => ({
  type: 'AmountPosted',
  leaseId: `lea_01k${String(n).padStart(23, '0')}`,
  accountId: `acc_01k${String(n % 997).padStart(23, '0')}`,
  amountMicros: 1_000_000n + BigInt(n),
  window: n,
  atMs: 1_790_000_000_000 + n,
  memo: 'usage of one window, rated by the second',
});

export type BenchStore = { readonly dataSource: DataSource; readonly store: EventStore<BenchEvent> };

/** A migrated database, and a store over it. */
export const openStore = async (url: string): Promise<BenchStore> => {
  const dataSource = await new DataSource({
    type: 'postgres',
    url,
    migrations: [...eventStoreMigrations],
    poolSize: 20,
  }).initialize();
  await migrate(dataSource);
  const catalogue = new EventCatalogue<BenchEvent>([amountPosted]);
  return { dataSource, store: new EventStore({ context: 'bench', catalogue, clock: systemClock }) };
};
