/** Money on the wire: decimal USDC for people, integer millionths for programs. */
export type Money = { usdc: string; micros: string };

export type Page<T> = { items: T[]; nextCursor: string | null };

export type MatchingProfile = 'cheapest' | 'balanced' | 'fastest' | 'nearest';

export type WorkloadClass = 'general' | 'language' | 'vision' | 'speech' | 'recommendation';

/** What a score is made of, each 0 (worst) to 1 (best). */
export type ScoreTerms = {
  cost: number;
  geography: number;
  performance: number;
  reliability: number;
  fit: number;
};

/** How much each term of the score counts against the others, 0 to 1. */
export type Weights = ScoreTerms;

export type ManifestRequest = {
  /** The text of an Akash SDL or Spheron ICL file. */
  manifest: string;
  run?: 'service' | 'job';
  durationSeconds?: number;
  /** Decimal USDC per hour for everything together. */
  maxRateUsdcPerHour?: string;
  profile?: MatchingProfile;
  /** In place of the profile's: each 0 to 1, not all 0; a term that is not named counts nothing. */
  weights?: Partial<Weights>;
  /** The kind of work by which the throughput of GPUs is compared; `general` unless said. */
  workloadClass?: WorkloadClass;
  regions?: string[];
  tierFloor?: number;
  /** Each group may be divided among up to so many providers of one region, 1 to 16. */
  maxProviders?: number;
  near?: { latitude: number; longitude: number };
  includeProviders?: string[];
  excludeProviders?: string[];
};

export type OrderRequest = ManifestRequest & {
  /** How long the order may wait in the book. */
  waitSeconds?: number;
  /** `instant` unless said: matched at once. `auction`: takes sealed bids first, then the best of them. */
  mode?: OrderMode;
  /** How long an auction takes bids; the platform's default unless said. */
  windowSeconds?: number;
};

export type OrderMode = 'instant' | 'auction';

export type Explanation = {
  summary: string;
  offersConsidered: number;
  constraints: { constraint: string; failed: number; expected: string }[];
  nearest: { offerId: string; providerId: string; failed: { constraint: string; detail: string }[] }[];
  smallestChange: { field: string; from: string; to: string; text: string } | null;
};

export type OrderExplanation = Explanation & {
  auction: Auction | null;
  /** The last match; null while the order waits, and where it never had a place. */
  match: Match | null;
};

/** What an offer was worth for a group of an order. */
export type RankedOffer = {
  providerId: string;
  offerId: string;
  rate: Money;
  score: number;
  terms: Record<string, number>;
};

/** What an order was matched with, beside what it was preferred to. */
export type Match = {
  matchedAt: string;
  rate: Money;
  /** Empty for orders that were matched before this was noted. */
  groups: { group: string; winner: RankedOffer; runnerUp: RankedOffer | null }[];
};

/** What a bid in an auction came to. */
export type BidTerms = RankedOffer & {
  /** Null where an offer stood by its list price. */
  bidId: string | null;
};

export type Auction = {
  /** No bid is taken from then on. */
  closesAt: string;
  /** Null until the window has closed: bids are sealed. */
  result: {
    closedAt: string;
    /** Sealed bids, each counted once. */
    bids: number;
    /** Offers that took part with their list price. */
    standing: number;
    failures: { constraint: string; failed: number }[];
    groups: { group: string; fitting: number; winner: BidTerms | null; runnerUp: BidTerms | null }[];
  } | null;
};

/** An auction as a provider sees it. */
export type OpenAuction = {
  orderId: string;
  closesAt: string;
  run: 'service' | 'job';
  durationSeconds: number;
  groups: {
    group: string;
    /** The most that the order pays per hour for the group. */
    maxRate: Money;
    needs: { gpus: number; cpuMillis: number; memoryMiB: number; storageMiB: number };
    /** Your offers that could serve it, best first. */
    offers: {
      offerId: string;
      providerId: string;
      listRate: Money;
      bid: { bidId: string; rate: Money; revision: number } | null;
    }[];
  }[];
};

export type BidRequest = {
  orderId: string;
  offerId: string;
  /** May be left out where the order has one group. */
  group?: string;
  /** Decimal USDC per hour, for everything of the group. */
  rateUsdcPerHour: string;
};

/** `void`: the order ended before the window closed. `fallen`: it had won, and its lease came to nothing. */
export type BidState = 'sealed' | 'void' | 'unfit' | 'lost' | 'won' | 'fallen';

export type Bid = {
  bidId: string;
  orderId: string;
  group: string;
  providerId: string;
  offerId: string;
  rate: Money;
  /** 1, and one more for each time the bid was replaced. */
  revision: number;
  placedAt: string;
  validUntil: string;
  state: BidState;
  /** Null until the window has closed, and for a bid that could not be taken. */
  score: number | null;
  failed: { constraint: string; detail: string }[];
  leaseId: string | null;
};

/** GPUs of an offer as a lease gets them: one of them is a whole GPU, a slice, or a slot, as `sharing` says. */
export type OfferedGpu = {
  model: string;
  vendor: 'nvidia' | 'amd';
  /** Of the whole card. */
  vramMiB: number;
  interface: 'pcie' | 'sxm';
  sharing: { mode: 'whole' } | { mode: 'mig'; profile: string } | { mode: 'shared'; slotsPerGpu: number };
};

export type Candidate = {
  offerId: string;
  providerId: string;
  region: string;
  /** Null for plain CPU machines. */
  gpu: OfferedGpu | null;
  /** The network between its machines. */
  interconnect: 'ethernet' | 'roce' | 'infiniband' | 'nvlink';
  rate: Money;
  score: number;
  terms: ScoreTerms;
};

export type Quote = {
  matched: boolean;
  rate: Money | null;
  total: Money | null;
  listRate: Money | null;
  /** Share saved against the cloud list price, 0 to 1; null where there is no list price. */
  saving: number | null;
  leases: {
    group: string;
    /** Where the group would be divided: one lease each. Empty where it goes to the first candidate whole. */
    parts: (LeasePart & { offerId: string; providerId: string; rate: Money; score: number })[];
    candidates: Candidate[];
  }[];
  explanation: Explanation | null;
  estimatedStartMs: number | null;
  warnings: string[];
};

export type LeaseState =
  'proposed' | 'accepted' | 'funded' | 'active' | 'closing' | 'closed' | 'rejected' | 'lapsed';

/** Which replicas of a divided group a lease has. */
export type LeasePart = {
  number: number;
  of: number;
  services: {
    service: string;
    /** Its replicas are numbered from here on, in the whole group and from 0. */
    firstReplica: number;
    replicas: number;
    /** In all parts together. */
    ofReplicas: number;
  }[];
};

export type Lease = {
  leaseId: string;
  orderId: string;
  group: string;
  /** Null: the whole group. */
  part: LeasePart | null;
  providerId: string;
  offerId: string;
  /** Null for plain CPU machines, and where it is not known. */
  gpu: OfferedGpu | null;
  chainLeaseKey: string | null;
  state: LeaseState;
  closeReason: string | null;
  closeDetail: string | null;
  rate: Money;
  listRate: Money | null;
  saving: number | null;
  durationSeconds: number;
  lock: Money;
  proposedAt: string;
  /** The provider must answer by then. */
  acceptBy: string;
  fundedAt: string | null;
  runningSince: string | null;
  closedAt: string | null;
  paid: Money | null;
  refunded: Money | null;
  capacityReleased: boolean;
};

export type OrderState =
  'submitted' | 'bidding' | 'unmatched' | 'matched' | 'fulfilled' | 'cancelled' | 'expired';

export type Order = {
  orderId: string;
  state: OrderState;
  mode: OrderMode;
  profile: MatchingProfile;
  /** Your own; null where the profile's hold. */
  weights: Weights | null;
  workloadClass: WorkloadClass;
  name: string;
  run: 'service' | 'job';
  maxRate: Money;
  rate: Money | null;
  durationSeconds: number;
  submittedAt: string;
  expiresAt: string;
  endedReason: string | null;
  endedDetail: string | null;
  leases: Lease[];
  explanation: Explanation | null;
  /** Null for an order that is matched at once. */
  auction: Auction | null;
  warnings: string[];
};

export type TimelineItem = {
  /** Grows along the timeline; give it as Last-Event-ID to go on from there. */
  id: string;
  at: string;
  type: string;
  leaseId: string | null;
  text: string;
  data: unknown;
};

export type WorkloadObserved =
  'pending' | 'pulling' | 'running' | 'degraded' | 'unknown' | 'failed' | 'exited' | 'terminating' | 'absent';

export type Workload = {
  leaseId: string;
  /** Null when nothing was ever asked of a cluster. */
  namespace: string | null;
  desired: 'running' | 'absent';
  observed: WorkloadObserved;
  services: { name: string; replicas: number; ready: number }[];
  endpoints: { service: string; port: number; url: string }[];
  runningSince: string | null;
  /** Billed so far. */
  seconds: number;
  lastSeenAt: string | null;
  /** What keeps it from running now, or what ended it. */
  failure: { cause: string; message: string; phase: 'start' | 'run'; final: boolean; at: string } | null;
  exit: { code: number; finishedAt: string } | null;
  provenAbsentAt: string | null;
};

/** What the cluster said about a workload. */
export type WorkloadEvent = { at: string; type: string; reason: string; message: string; object: string };

export type LogOptions = { service?: string; replica?: number; tail?: number; sinceSeconds?: number };

export type Escrow = {
  deposited: Money;
  free: Money;
  locked: Money;
  spent: Money;
  withdrawn: Money;
  chain: { chainId: number; rpcUrl: string; computeMarket: string; usdc: string };
  /** Null: nothing is allowed yet, so no lease can be opened. */
  spendingLimit: { maxRatePerHour: Money; maxLocked: Money; validUntil: string } | null;
};

export type EscrowEntry = {
  entryId: string;
  at: string;
  kind: 'deposit' | 'withdrawal' | 'lock' | 'payment' | 'refund' | 'claim';
  account: 'free' | 'locked';
  leaseId: string | null;
  /** Negative where money left the account. */
  amount: Money;
  /** Of that account, after the entry. */
  balance: Money;
  /** Undoes an earlier entry, because the chain took its block back. */
  correction: boolean;
  txHash: string | null;
  transferId: string;
};

export type UsageWindow = {
  usageId: string;
  leaseId: string;
  windowStart: string;
  windowEnd: string;
  seconds: number;
  cumulativeSeconds: number;
  /** What the lease had earned at the end of the window. */
  earned: Money;
};

export type Settlement = {
  settlementId: string;
  leaseId: string;
  kind: 'interim' | 'final';
  state: 'drafted' | 'submitted' | 'confirmed' | 'finalized' | 'failed_retryable' | 'failed_final';
  /** All that the lease shall have been paid with this settlement. */
  cumulative: Money;
  /** What this settlement moved. */
  paid: Money | null;
  txHash: string | null;
  failure: string | null;
  draftedAt: string;
  submittedAt: string | null;
  confirmedAt: string | null;
};

export type Invoice = {
  leaseId: string;
  orderId: string;
  providerId: string;
  group: string;
  state: string;
  /** No more will be added: the meter is closed and the chain has paid. */
  final: boolean;
  rate: Money;
  durationSeconds: number;
  usage: { seconds: number; windows: number; from: string | null; to: string | null };
  amount: Money;
  paid: Money;
  lock: Money;
  refunded: Money | null;
  /** The same hours at the list price of large clouds. */
  list: { rate: Money; amount: Money; saving: Money; savingShare: number } | null;
};

/** A difference between meter, ledger and chain. */
export type Break = {
  breakId: string;
  kind: string;
  /** A lease id or a wallet. */
  subject: string;
  state: 'open' | 'resolved';
  meter: Money | null;
  ledger: Money | null;
  chain: Money | null;
  detail: string;
  openedAt: string;
  resolvedAt: string | null;
  resolution: string | null;
};

type Location = { latitude: number; longitude: number };

export type ProviderRequest = {
  name: string;
  /** Without a region, the region of the place. */
  place: { country: string; city?: string; region?: string; location: Location };
  attributes?: Record<string, string>;
};

export type OfferNode = {
  name: string;
  gpus: number;
  cpuMillis: number;
  memoryMiB: number;
  storageMiB: number;
};

/** Prices in decimal USDC per hour. */
export type OfferRequest = {
  /** Replaces this offer. */
  offerId?: string;
  /** Tells apart offers of one GPU model; letters, digits, dots, hyphens. */
  label?: string;
  /** Null: plain CPU machines. Without `sharing` whole GPUs are sold; else `nodes[].gpus` and `perGpu` are of slices or slots. */
  gpu: { model: string; vramMiB: number; interface: 'pcie' | 'sxm'; sharing?: OfferedGpu['sharing'] } | null;
  nodes: OfferNode[];
  price: {
    perGpuUsdcPerHour: string;
    perCpuCoreUsdcPerHour: string;
    perMemoryGiBUsdcPerHour: string;
    perStorageGiBUsdcPerHour: string;
  };
  policy: { autoAccept: boolean; minDurationSeconds?: number; maxDurationSeconds: number };
  storageClasses?: string[];
  /** The network between the machines; `ethernet` when it is not said. */
  interconnect?: Offer['interconnect'];
};

export type Provider = {
  providerId: string;
  name: string;
  place: { region: string; country: string; city: string; location: Location };
  attributes: Record<string, string>;
  state: 'registered' | 'active' | 'unreachable' | 'offline' | 'suspended';
  tier: number;
  chainProviderId: number | null;
  stake: Money;
  lastSeenAt: string | null;
  registeredAt: string;
};

/** Which offers a list shows. */
export type OfferFilter = {
  /** By any name the catalogue knows. */
  model?: string;
  region?: string;
  /** What is sold of the GPUs. */
  sharing?: OfferedGpu['sharing']['mode'];
  /** The slowest network between machines that will do. */
  interconnect?: Offer['interconnect'];
};

export type Offer = {
  offerId: string;
  providerId: string;
  providerName: string;
  revision: number;
  gpu: Omit<OfferedGpu, 'vendor'> | null;
  nodes: number;
  /** In the units that are sold: whole GPUs, slices or slots. `price.perGpu` is that of one. */
  gpusTotal: number;
  price: Record<'perGpu' | 'perCpuCore' | 'perMemoryGiB' | 'perStorageGiB', Money>;
  /** Of the same share of a GPU. */
  listPricePerGpuHour: Money | null;
  saving: number | null;
  region: string;
  interconnect: 'ethernet' | 'roce' | 'infiniband' | 'nvlink';
  policy: { autoAccept: boolean; minDurationSeconds: number; maxDurationSeconds: number };
  /** `available`: its provider is active, so it is matched. */
  state: 'available' | 'unavailable' | 'withdrawn';
};

export type Books = {
  leases: Record<string, number>;
  meter: Money;
  ledgerPaid: Money;
  chainPaid: Money;
  refunded: Money;
  deposited: Money;
  free: Money;
  locked: Money;
  spent: Money;
  withdrawn: Money;
  openBreaks: number;
  platform: {
    chainConfirmMs: { p50: number | null; p99: number | null; count: number };
    gasPerSettledLease: number | null;
    gasUsed: { open: string; settle: string; close: string };
    settledLeases: number;
    transactions: number;
  };
};

export type Account = { accountId: string; wallet: string; name: string; scopes: string[]; openedAt: string };
export type Tokens = {
  accessToken: string;
  accessExpiresAt: string;
  refreshToken: string;
  accountId: string;
};

export type ApiKey = {
  apiKeyId: string;
  name: string;
  scopes: string[];
  expiresAt: string | null;
  issuedAt: string;
  revokedAt: string | null;
};

/** `key` is shown this once. */
export type IssuedKey = {
  apiKeyId: string;
  name: string;
  key: string;
  scopes: string[];
  expiresAt: string | null;
};

export type Chain = {
  chainId: number;
  contracts: Record<string, string>;
  deployBlock: number;
  latest: number | null;
  safe: number | null;
  finalized: number | null;
  halted: string | null;
};

/** An event that a service could not handle, or that waits behind one. */
export type DeadLetter = {
  id: string;
  topic: string;
  deadLetterTopic: string;
  key: string;
  state: 'failed' | 'waiting' | 'skipping' | 'replayed' | 'skipped';
  error: string | null;
  /** Stable, for programs: `unknown_event`, `event_not_decodable`, …; null where the error had none. */
  errorCode: string | null;
  attempts: number;
  skipReason: string | null;
  deadAt: string;
  settledAt: string | null;
};

/** With the record as it was published. */
export type DeadLetterWithRecord = DeadLetter & { headers: Record<string, string>; value: unknown };

/** Tables of a service that follow from events and can be made anew while they are served. */
export type ReadModel = {
  name: string;
  tables: string[];
  /** `interrupted`: begun and not ended; asking for it again carries it on. */
  state: 'idle' | 'rebuilding' | 'interrupted';
  /** Events projected, and events left (counted up to 100 000). */
  progress: { events: number; left: number; startedAt: string } | null;
  lastRebuild: { events: number; startedAt: string; finishedAt: string } | null;
  /** Why the last one that was begun has failed. */
  failure: { code: string; detail: string } | null;
};

export type BusLag = {
  partitions: { topic: string; partition: number; committed: number; end: number; lag: number }[];
  /** Events that are not handled yet. */
  lag: number;
};
