import { formatUsdc } from '@gridbourse/kernel';
import type { Books, GridbourseClient, Lease, Order } from '@gridbourse/sdk';
import { table } from '../output/tables.ts';

export type Percentiles = { p50: number | null; p99: number | null };

/** The one object that `gridbourse demo --json` ends with. Amounts are micro-USDC of this run, as strings. */
export type DemoReport = {
  orders: number;
  matched: number;
  unmatched: number;
  leasesClosed: number;
  meterMicros: string;
  ledgerPaidMicros: string;
  chainPaidMicros: string;
  refundedMicros: string;
  breaks: number;
  orderToRunningMs: Percentiles;
  chainConfirmMs: Percentiles;
  gasPerSettledLease: number | null;
  savingVsCloudList: number | null;
};

/** Nearest-rank percentile (NIST handbook 7.2.6.2, without interpolation). */
export const percentile = (values: readonly number[], share: number): number | null => {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))]!;
};

/** Paid against what the same GPUs' list price would have been, weighted by what was paid. */
const saving = (leases: readonly Lease[]): number | null => {
  let paid = 0n;
  let list = 0n;
  for (const lease of leases) {
    const rate = BigInt(lease.rate.micros);
    if (!lease.listRate || !lease.paid || rate === 0n) continue;
    const own = BigInt(lease.paid.micros);
    paid += own;
    list += (own * BigInt(lease.listRate.micros)) / rate;
  }
  return list === 0n ? null : Number(((list - paid) * 10_000n) / list) / 10_000;
};

const difference = (
  after: Books,
  before: Books,
  field: 'meter' | 'ledgerPaid' | 'chainPaid' | 'refunded',
): string => (BigInt(after[field].micros) - BigInt(before[field].micros)).toString();

export const makeReport = async (
  client: GridbourseClient,
  orderIds: readonly string[],
  before: Books,
): Promise<DemoReport> => {
  const orders: Order[] = [];
  for (const id of orderIds) orders.push(await client.order(id));
  const leases = orders.flatMap((order) => order.leases);
  const started = orders.flatMap((order) => {
    const first = order.leases
      .map((l) => l.runningSince)
      .filter((t): t is string => t !== null)
      .sort()[0];
    return first === undefined ? [] : [{ order, ms: Date.parse(first) - Date.parse(order.submittedAt) }];
  });
  // An order that had to wait, for capacity or for bids, says nothing about how fast a start is.
  const instant = started
    .filter(({ order }) => order.explanation === null && order.auction === null)
    .map(({ ms }) => ms);
  const books = await client.books();
  return {
    orders: orders.length,
    matched: orders.filter((order) => order.leases.length > 0).length,
    unmatched: orders.filter((order) => order.leases.length === 0).length,
    leasesClosed: leases.filter((lease) => lease.state === 'closed').length,
    meterMicros: difference(books, before, 'meter'),
    ledgerPaidMicros: difference(books, before, 'ledgerPaid'),
    chainPaidMicros: difference(books, before, 'chainPaid'),
    refundedMicros: difference(books, before, 'refunded'),
    breaks: books.openBreaks,
    orderToRunningMs: { p50: percentile(instant, 0.5), p99: percentile(instant, 0.99) },
    chainConfirmMs: { p50: books.platform.chainConfirmMs.p50, p99: books.platform.chainConfirmMs.p99 },
    gasPerSettledLease: books.platform.gasPerSettledLease,
    savingVsCloudList: saving(leases),
  };
};

/** Meter, ledger and chain say the same, and nothing is open. */
export const booksAgree = (report: DemoReport): boolean =>
  report.breaks === 0 &&
  report.meterMicros === report.ledgerPaidMicros &&
  report.ledgerPaidMicros === report.chainPaidMicros;

const dollars = (micros: string): string => `$${formatUsdc(BigInt(micros))}`;
const span = ({ p50, p99 }: Percentiles): string => `p50 ${p50 ?? '-'} ms, p99 ${p99 ?? '-'} ms`;

export const reportTable = (report: DemoReport): string =>
  table(
    ['', ''],
    [
      ['orders', `${report.orders}: ${report.matched} matched, ${report.unmatched} not`],
      ['leases closed', String(report.leasesClosed)],
      ['metered', dollars(report.meterMicros)],
      ['paid by the ledger', dollars(report.ledgerPaidMicros)],
      ['paid on chain', dollars(report.chainPaidMicros)],
      ['refunded', dollars(report.refundedMicros)],
      ['open breaks', String(report.breaks)],
      ['order to running', span(report.orderToRunningMs)],
      ['chain confirmation', span(report.chainConfirmMs)],
      [
        'gas per settled lease',
        report.gasPerSettledLease === null ? '-' : String(Math.round(report.gasPerSettledLease)),
      ],
      [
        'saving against cloud list',
        report.savingVsCloudList === null ? '-' : `${(report.savingVsCloudList * 100).toFixed(1)} %`,
      ],
    ],
  );
