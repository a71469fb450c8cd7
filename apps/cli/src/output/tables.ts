import type { Auction, BidTerms, Explanation, LeasePart, Match, Money, RankedOffer } from '@gridbourse/sdk';
import Table from 'cli-table3';
import pc from 'picocolors';

/** A plain table without rules: reads well, copies well. Without titles there is no head. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => {
  const blank = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' };
  const rules = { 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '' };
  const made = new Table({
    head: head.some((title) => title !== '') ? head.map((title) => pc.dim(title)) : [],
    chars: { ...blank, ...rules, right: '', 'right-mid': '', middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
};

export const usdc = (money: Money | null): string => (money === null ? '-' : `$${money.usdc}`);
export const perHour = (money: Money | null): string => (money === null ? '-' : `$${money.usdc}/h`);
export const percent = (share: number | null): string =>
  share === null ? '-' : `${Math.round(share * 100)} %`;
export const clock = (time: string | null): string => (time === null ? '-' : time.slice(11, 19));

export const state = (name: string): string => {
  if (['active', 'fulfilled', 'running', 'won'].includes(name)) return pc.green(name);
  if (['unmatched', 'closing', 'unreachable', 'proposed', 'accepted', 'funded', 'bidding'].includes(name))
    return pc.yellow(name);
  if (['lapsed', 'rejected', 'failed', 'offline', 'expired', 'unfit', 'fallen'].includes(name))
    return pc.red(name);
  return name;
};

/** Of a group, or of which part of it: `gang 1/2: worker 4 of 6 from 0`. */
export const partText = (group: string, part: LeasePart | null): string => {
  if (part === null) return group;
  const services = part.services.map(
    ({ service, replicas, ofReplicas, firstReplica }) =>
      `${service} ${replicas} of ${ofReplicas} from ${firstReplica}`,
  );
  return `${group} ${part.number}/${part.of}: ${services.join(', ')}`;
};

const termsText = ({ terms }: RankedOffer): string =>
  Object.entries(terms)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join(', ');

const termsRow = (group: string, place: string, terms: BidTerms): string[] => [
  group,
  place,
  terms.providerId,
  perHour(terms.rate),
  terms.score.toFixed(3),
  terms.bidId === null ? 'list price' : 'sealed bid',
  termsText(terms),
];

/** What an order was matched with, beside what came second. */
export const matchText = ({ matchedAt, rate, groups }: Match): string => {
  const row = (group: string, place: string, ranked: RankedOffer): string[] => [
    group,
    place,
    ranked.providerId,
    perHour(ranked.rate),
    ranked.score.toFixed(3),
    termsText(ranked),
  ];
  const rows = groups.flatMap(({ group, winner, runnerUp }) => [
    row(group, 'taken', winner),
    ...(runnerUp ? [row(group, 'second', runnerUp)] : []),
  ]);
  const head = `matched at ${clock(matchedAt)} UTC for ${perHour(rate)}`;
  if (rows.length === 0) return head;
  return `${head}\n${table(['group', 'place', 'provider', 'rate', 'score', 'terms'], rows)}`;
};

/** How an auction ended, or when it will. */
export const auctionText = ({ closesAt, result }: Auction): string => {
  if (result === null) return `takes sealed bids until ${clock(closesAt)} UTC`;
  const rows = result.groups.flatMap(({ group, winner, runnerUp }) => [
    ...(winner ? [termsRow(group, 'won', winner)] : []),
    ...(runnerUp ? [termsRow(group, winner ? 'second' : 'best', runnerUp)] : []),
  ]);
  const failures = result.failures.map(({ constraint, failed }) => `${failed} failed ${constraint}`);
  const fell = failures.length > 0 ? `, of the bids ${failures.join(', ')}` : '';
  const counts = `auction closed with ${result.bids} sealed and ${result.standing} standing bids${fell}`;
  if (rows.length === 0) return counts;
  const head = ['group', 'place', 'provider', 'rate', 'score', 'by', 'terms'];
  return `${counts}\n${table(head, rows)}`;
};

export const explanationText = (explanation: Explanation): string => {
  const lines = [explanation.summary];
  if (explanation.constraints.length > 0) {
    lines.push(
      table(
        ['constraint', 'offers that fail it', 'expected'],
        explanation.constraints.map((c) => [
          c.constraint,
          `${c.failed} of ${explanation.offersConsidered}`,
          c.expected,
        ]),
      ),
    );
  }
  if (explanation.smallestChange) lines.push(`${pc.bold('Would match:')} ${explanation.smallestChange.text}`);
  return lines.join('\n');
};
