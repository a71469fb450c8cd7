import { type Balances, fits, sumOf, type Transfer } from './ledger.ts';

export type PostingPlan = {
  /** To be posted now, in this order. */
  readonly post: readonly Transfer[];
  /** What the balances do not bear yet: kept and tried again with the next movement. */
  readonly wait: readonly Transfer[];
  /** Waiting transfers that were taken back before they were posted, with what took them back. */
  readonly dropped: readonly Transfer[];
};

/**
 * A reorg may be told in an order that no balance bears (the deposit taken back before the lock that used it). So a
 * transfer that does not fit waits, and when nothing fits singly but all together do, they are posted together: the
 * end is the same in whatever order the chain's word arrives.
 */
export const planPosting = (balances: Balances, transfers: readonly Transfer[]): PostingPlan => {
  const ids = new Set(transfers.map((transfer) => transfer.id));
  const takenBack = new Set(
    transfers.flatMap(({ correctsId }) => (correctsId !== null && ids.has(correctsId) ? [correctsId] : [])),
  );
  const isDropped = (t: Transfer): boolean =>
    takenBack.has(t.id) || (t.correctsId !== null && takenBack.has(t.correctsId));

  const post: Transfer[] = [];
  let current: Balances = balances;
  let rest = transfers.filter((transfer) => !isDropped(transfer));
  for (;;) {
    const next = rest.find((transfer) => fits(current, transfer));
    if (!next) break;
    post.push(next);
    current = sumOf(current, [next]);
    rest = rest.filter((transfer) => transfer !== next);
  }
  const together = sumOf(current, rest);
  if ([...together.values()].every((balance) => balance >= 0n)) {
    post.push(...rest);
    rest = [];
  }
  return { post, wait: rest, dropped: transfers.filter(isDropped) };
};
