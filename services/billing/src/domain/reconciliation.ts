import type { BreakKind } from '@gridbourse/events';
import { formatUsdc, type Instant, type LeaseId, type Micros } from '@gridbourse/kernel';
import { type LeaseTerms, ratedMicros } from './rating.ts';

/** One disagreement of meter, ledger and chain, as seen in one look. */
export type Finding = {
  readonly kind: BreakKind;
  /** A lease id, a lease key that no lease has, a wallet, or `escrow`. */
  readonly subject: string;
  readonly meterMicros: Micros | null;
  readonly ledgerMicros: Micros | null;
  readonly chainMicros: Micros | null;
  readonly detail: string;
};

/** What the chain's events say about a lease key, retracted ones left out. */
export type ChainLease = {
  readonly tenant: string;
  readonly chainProviderId: number;
  readonly rateMicrosPerHour: Micros;
  /** What the opening locked. */
  readonly lockMicros: Micros;
  /** What extensions added. */
  readonly addedMicros: Micros;
  readonly paidMicros: Micros;
  readonly payments: number;
  readonly refundedMicros: Micros;
  readonly closed: boolean;
};

/** What the ledger's entries say about a lease key, corrections taken off. */
export type LedgerLease = {
  readonly lockedInMicros: Micros;
  readonly paidMicros: Micros;
  readonly payments: number;
  readonly refundedMicros: Micros;
  readonly tenant: string | null;
  readonly paidTo: readonly number[];
};

/** What the contract's own storage says, read by us without the indexer; null where it was not read. */
export type ContractLease = { readonly settledMicros: Micros; readonly closed: boolean };

export type LeaseView = {
  readonly leaseId: LeaseId;
  /** As agreed. */
  readonly terms: LeaseTerms;
  /** As the chain's extensions and stop have made them. */
  readonly termsNow: LeaseTerms;
  readonly tenant: string;
  readonly chainProviderId: number;
  readonly meter: {
    readonly cumulativeSeconds: number;
    readonly windowSeconds: number;
    readonly closed: boolean;
  };
  /** Every lease key on chain that refers to this lease; more than one is a fault. */
  readonly chain: readonly ChainLease[];
  readonly ledger: LedgerLease | null;
  readonly contract: ContractLease | null;
  /** Since when the chain owes us the next step (open, pay, close); null when nothing is under way. */
  readonly owedSinceMs: Instant | null;
};

const usdc = (micros: Micros): string => `${formatUsdc(micros)} USDC`;

/** One side has nothing: missing; both have something: wrong amount. */
const kindOfGap = (a: Micros, b: Micros): BreakKind => (a === 0n || b === 0n ? 'missing' : 'wrong_amount');

type Sides = Pick<Finding, 'subject' | 'meterMicros' | 'ledgerMicros' | 'chainMicros'>;

const compareTerms = (view: LeaseView, chain: ChainLease, sides: Sides): Finding[] => {
  const findings: Finding[] = [];
  if (chain.tenant !== view.tenant || chain.chainProviderId !== view.chainProviderId) {
    findings.push({
      ...sides,
      kind: 'wrong_party',
      detail: `agreed between ${view.tenant} and provider ${view.chainProviderId}, on chain between ${chain.tenant} and provider ${chain.chainProviderId}`,
    });
  }
  if (
    chain.lockMicros !== view.terms.lockMicros ||
    chain.rateMicrosPerHour !== view.terms.rateMicrosPerHour
  ) {
    findings.push({
      ...sides,
      kind: 'wrong_amount',
      detail: `agreed ${usdc(view.terms.rateMicrosPerHour)} an hour and a lock of ${usdc(view.terms.lockMicros)}, on chain ${usdc(chain.rateMicrosPerHour)} and ${usdc(chain.lockMicros)}`,
    });
  }
  return findings;
};

const compareLedger = (chain: ChainLease, ledger: LedgerLease, sides: Sides): Finding[] => {
  const findings: Finding[] = [];
  const strangers = ledger.paidTo.filter((provider) => provider !== chain.chainProviderId);
  if (strangers.length > 0) {
    const detail = `the ledger paid provider ${strangers.join(', ')}, the chain provider ${chain.chainProviderId}`;
    findings.push({ ...sides, kind: 'wrong_party', detail });
  }
  if (ledger.paidMicros !== chain.paidMicros) {
    const doubled = ledger.paidMicros > chain.paidMicros && ledger.payments > chain.payments;
    findings.push({
      ...sides,
      kind: doubled && chain.payments > 0 ? 'duplicate' : kindOfGap(ledger.paidMicros, chain.paidMicros),
      detail: `paid ${usdc(ledger.paidMicros)} in ${ledger.payments} transfers by the ledger, ${usdc(chain.paidMicros)} in ${chain.payments} by the chain`,
    });
  } else if (ledger.refundedMicros !== chain.refundedMicros) {
    findings.push({
      ...sides,
      kind: kindOfGap(ledger.refundedMicros, chain.refundedMicros),
      detail: `refunded ${usdc(ledger.refundedMicros)} by the ledger, ${usdc(chain.refundedMicros)} by the chain`,
    });
  } else if (ledger.lockedInMicros !== chain.lockMicros + chain.addedMicros) {
    findings.push({
      ...sides,
      kind: kindOfGap(ledger.lockedInMicros, chain.lockMicros + chain.addedMicros),
      detail: `locked ${usdc(ledger.lockedInMicros)} by the ledger, ${usdc(chain.lockMicros + chain.addedMicros)} by the chain`,
    });
  }
  return findings;
};

const compareMeter = (view: LeaseView, chain: ChainLease, metered: Micros, sides: Sides): Finding[] => {
  const findings: Finding[] = [];
  const { windowSeconds, cumulativeSeconds, closed } = view.meter;
  if (closed && windowSeconds !== cumulativeSeconds) {
    findings.push({
      ...sides,
      kind: windowSeconds > cumulativeSeconds ? 'duplicate' : 'missing',
      detail: `usage records add up to ${windowSeconds} s, the meter closed at ${cumulativeSeconds} s`,
    });
  }
  if (chain.closed ? chain.paidMicros !== metered : chain.paidMicros > metered) {
    findings.push({
      ...sides,
      kind: kindOfGap(chain.paidMicros, metered),
      detail: `the chain paid ${usdc(chain.paidMicros)}, the meter says ${usdc(metered)}`,
    });
  }
  return findings;
};

const compareContract = (chain: ChainLease, contract: ContractLease, sides: Sides): Finding[] => {
  if (contract.settledMicros !== chain.paidMicros) {
    const detail = `the contract's storage says ${usdc(contract.settledMicros)}, its events say ${usdc(chain.paidMicros)}`;
    return [{ ...sides, kind: kindOfGap(contract.settledMicros, chain.paidMicros), detail }];
  }
  if (contract.closed !== chain.closed) {
    const detail = `the lease is ${contract.closed ? 'closed' : 'open'} in the contract's storage, not so by its events`;
    return [{ ...sides, kind: 'missing', detail }];
  }
  return [];
};

/**
 * Three-way comparison of one lease. Pure: a look at three numbers that were read one after the other may find what
 * is only under way, so the caller opens a break when a finding lasts.
 *
 * @param timingAfterMs how long the chain may owe a step before that is a break of its own
 */
export const reconcileLease = (view: LeaseView, now: Instant, timingAfterMs: number): readonly Finding[] => {
  const metered = ratedMicros(view.termsNow, view.meter.cumulativeSeconds);
  const [chain, ...more] = view.chain;
  const sides: Sides = {
    subject: view.leaseId,
    meterMicros: metered,
    ledgerMicros: view.ledger?.paidMicros ?? null,
    chainMicros: chain?.paidMicros ?? null,
  };
  const late: Finding[] =
    view.owedSinceMs !== null && now - view.owedSinceMs > timingAfterMs
      ? [
          {
            ...sides,
            kind: 'timing',
            detail: `the chain has owed a step for ${Math.floor((now - view.owedSinceMs) / 1_000)} s`,
          },
        ]
      : [];
  if (!chain) {
    const unbacked = view.ledger !== null && view.ledger.lockedInMicros !== 0n;
    const never: Finding = { ...sides, kind: 'missing', detail: 'the ledger has it, the chain does not' };
    return unbacked ? [never, ...late] : late;
  }
  if (more.length > 0) {
    return [{ ...sides, kind: 'duplicate', detail: `opened ${view.chain.length} times on chain` }, ...late];
  }
  const ledger: Finding[] = view.ledger
    ? compareLedger(chain, view.ledger, sides)
    : [{ ...sides, kind: 'missing', detail: 'the chain has it, the ledger does not' }];
  return [
    ...compareTerms(view, chain, sides),
    ...ledger,
    ...compareMeter(view, chain, metered, sides),
    ...(view.contract ? compareContract(chain, view.contract, sides) : []),
    ...late,
  ];
};

export type TenantView = {
  readonly wallet: string;
  readonly ledger: {
    readonly depositedMicros: Micros;
    readonly freeMicros: Micros;
    readonly lockedMicros: Micros;
    readonly spentMicros: Micros;
    readonly withdrawnMicros: Micros;
  };
  /** Sums over the chain's events. */
  readonly chain: {
    readonly depositedMicros: Micros;
    readonly withdrawnMicros: Micros;
    readonly freeMicros: Micros;
  };
};

export const reconcileTenant = (view: TenantView): readonly Finding[] => {
  const { ledger, chain, wallet: subject } = view;
  const gap = (what: string, ours: Micros, theirs: Micros): Finding[] =>
    ours === theirs
      ? []
      : [
          {
            kind: kindOfGap(ours, theirs),
            subject,
            meterMicros: null,
            ledgerMicros: ours,
            chainMicros: theirs,
            detail: `${what}: ${usdc(ours)} by the ledger, ${usdc(theirs)} by the chain`,
          },
        ];
  const sum = ledger.freeMicros + ledger.lockedMicros + ledger.spentMicros + ledger.withdrawnMicros;
  const found = [
    ...gap('deposited', ledger.depositedMicros, chain.depositedMicros),
    ...gap('withdrawn', ledger.withdrawnMicros, chain.withdrawnMicros),
    ...gap('free', ledger.freeMicros, chain.freeMicros),
    ...gap('free + locked + spent + withdrawn', sum, ledger.depositedMicros),
  ];
  return found.slice(0, 1); // the first gap explains those that follow from it
};

/** Two looks that find the same of the same thing are one break, so it is known by these. */
export const findingKey = (finding: Pick<Finding, 'subject' | 'kind'>): string =>
  `${finding.subject}/${finding.kind}`;

/** At most one finding of a kind for each subject: the first one tells. */
export const distinctFindings = (findings: readonly Finding[]): readonly Finding[] => [
  ...new Map([...findings].reverse().map((finding) => [findingKey(finding), finding])).values(),
];
