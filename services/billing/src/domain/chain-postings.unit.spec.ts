import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { steps } from '../../test/arbitraries.ts';
import { tellHistory, type Told } from '../../test/chain-history.ts';
import { type ChainLogState, hear } from './chain-log-state.ts';
import { type ChainEvent, transfersOf } from './chain-postings.ts';
import { emptyLedger, type Ledger, mirrorOf, post, sumOf, type Transfer } from './ledger.ts';
import { planPosting } from './posting-plan.ts';

type Books = { ledger: Ledger; waiting: readonly Transfer[]; logs: Map<string, ChainLogState> };

const tell = (books: Books, { tidings, event }: Told): Books => {
  const key = `${event.blockHash}/${event.logIndex}`;
  const { next, effect } = hear(tidings, books.logs.get(key) ?? null);
  books.logs.set(key, next);
  if (effect === 'none') return books;
  const caused = transfersOf(event, next.incarnation);
  const fresh = effect === 'book' ? caused : caused.map(mirrorOf);
  const plan = planPosting(books.ledger.balances, [...books.waiting, ...fresh]);
  return { ...books, ledger: post(books.ledger, plan.post), waiting: plan.wait };
};

const booksAfter = (told: readonly Told[]): Books =>
  told.reduce(tell, { ledger: emptyLedger, waiting: [], logs: new Map() });

const balancesOf = (ledger: Ledger): [string, bigint][] =>
  [...ledger.balances].filter(([, balance]) => balance !== 0n).sort(([a], [b]) => (a < b ? -1 : 1));

const sum = (amounts: Iterable<bigint>): bigint => [...amounts].reduce((total, amount) => total + amount, 0n);

describe('the ledger of a chain', () => {
  it('ends as the surviving logs say, whatever was retracted in whatever order, and however often it was told', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { told, surviving } = tellHistory(history);
        const books = booksAfter(told);
        const straight = post(
          emptyLedger,
          surviving.flatMap((event) => transfersOf(event, 0)),
        );
        expect(balancesOf(books.ledger)).toEqual(balancesOf(straight));
        expect(books.waiting).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('has equal debits and credits, balances that are the fold of entries, and none below zero', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { ledger } = booksAfter(tellHistory(history).told);
        const side = (wanted: string): bigint =>
          sum(ledger.entries.filter((entry) => entry.side === wanted).map((entry) => entry.amountMicros));
        expect(side('debit')).toBe(side('credit'));
        const lastOf = new Map(ledger.entries.map((entry) => [entry.account, entry.newMicros]));
        expect(lastOf).toEqual(ledger.balances);
        expect(sumOf(new Map(), ledger.transfers.values())).toEqual(ledger.balances);
        expect([...ledger.balances.values()].every((balance) => balance >= 0n)).toBe(true);
      }),
    );
  });

  it('keeps deposits = free + locked + earned and claimed + withdrawn', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const { ledger } = booksAfter(tellHistory(history).told);
        const held = (kind: string): bigint =>
          sum(
            [...ledger.balances]
              .filter(([account]) => account.startsWith(kind))
              .map(([, balance]) => balance),
          );
        expect(held('escrow')).toBe(held('free/') + held('locked/') + held('earned/'));
      }),
    );
  });
});

describe('a block that comes back', () => {
  const event: ChainEvent = {
    contract: 'ComputeMarket',
    chainId: 1,
    blockNumber: 1,
    blockHash: `0x${'1'.repeat(64)}`,
    logIndex: 3,
    txHash: `0x${'2'.repeat(64)}`,
    blockTimeMs: 5,
    seenAtMs: 6,
    log: { name: 'Deposited', tenant: `0x${'a'.repeat(40)}`, amountMicros: 7n },
  };

  it('is booked again under a new id', () => {
    const books = booksAfter(
      (['observed', 'retracted', 'observed', 'observed', 'finalized'] as const).map((tidings) => ({
        tidings,
        event,
      })),
    );
    expect(books.ledger.balances.get('escrow')).toBe(7n);
    expect(books.ledger.transfers.size).toBe(3);
  });

  it('is refused with other content under the same id', () => {
    const [transfer] = transfersOf(event, 0);
    const ledger = post(emptyLedger, [transfer!]);
    expect(post(ledger, [transfer!])).toEqual(ledger);
    expect(() => post(ledger, [{ ...transfer!, amountMicros: 8n }])).toThrow('other content');
  });
});
