import { DomainError } from '@gridbourse/kernel';
import type { FoundLog, Header, Segment } from './block.ts';

/** The node's answers contradict each other or themselves. Asking again may help; guessing never does. */
export const untrustworthy = (what: string): DomainError =>
  new DomainError('unavailable', 'untrustworthy_answer', `the node's answers do not fit together: ${what}`);

export const isUntrustworthy = (error: unknown): error is DomainError =>
  error instanceof DomainError && error.code === 'untrustworthy_answer';

/**
 * Whether headers and logs of a range are one piece of one chain: no block missing, each the child of the one before,
 * every log in the block and the transaction it names, none twice, none where the block's own filter excludes it.
 * Logs in the order of the chain.
 * @throws DomainError `untrustworthy_answer`
 */
export const expectConsistent = (from: number, to: number, segment: Segment): void => {
  const { headers, logs } = segment;
  if (headers.length !== to - from + 1) throw untrustworthy(`blocks are missing between ${from} and ${to}`);
  for (const [index, header] of headers.entries()) {
    if (header.number !== from + index)
      throw untrustworthy(`block ${header.number} in place of ${from + index}`);
    const parent = headers[index - 1];
    if (parent && header.parentHash !== parent.hash) {
      throw untrustworthy(`block ${header.number} is not the child of block ${parent.number}`);
    }
  }
  let previous: FoundLog | undefined;
  for (const log of logs) {
    expectFits(log, headers[log.blockNumber - from]);
    if (previous && !comesAfter(log, previous)) {
      throw untrustworthy(`log ${log.logIndex} of block ${log.blockNumber} comes twice or out of order`);
    }
    previous = log;
  }
};

const expectFits = (log: FoundLog, header: Header | undefined): void => {
  const name = `log ${log.logIndex} of block ${log.blockNumber}`;
  if (!header) throw untrustworthy(`${name} was not asked for`);
  if (log.blockHash !== header.hash) throw untrustworthy(`${name} is of another block of that number`);
  if (!header.transactions.includes(log.txHash))
    throw untrustworthy(`${name} is of a transaction that is not in it`);
  if (!header.mayHoldLogs) throw untrustworthy(`the filter of block ${log.blockNumber} excludes ${name}`);
};

const comesAfter = (log: FoundLog, previous: FoundLog): boolean =>
  log.blockNumber > previous.blockNumber ||
  (log.blockNumber === previous.blockNumber && log.logIndex > previous.logIndex);

/** Blocks whose filter says that they may hold logs of ours, and of which none came: to be looked at again. */
export const suspects = ({ headers, logs }: Segment): readonly Header[] => {
  const withLogs = new Set(logs.map((log) => log.blockNumber));
  return headers.filter((header) => header.mayHoldLogs && !withLogs.has(header.number));
};
