/** Money on the wire: decimal USDC for people, integer millionths for programs. */
export type Money = { usdc: string; micros: string };

export type Page<T> = { items: T[]; nextCursor: string | null };

export type ManifestRequest = {
  /** The text of an Akash SDL or Spheron ICL file. */
  manifest: string;
  run?: 'service' | 'job';
  durationSeconds?: number;
  /** Decimal USDC per hour for everything together. */
  maxRateUsdcPerHour?: string;
  profile?: 'cheapest' | 'balanced' | 'fastest' | 'nearest';
  regions?: string[];
  tierFloor?: number;
  near?: { latitude: number; longitude: number };
  includeProviders?: string[];
  excludeProviders?: string[];
};

export type OrderRequest = ManifestRequest & { waitSeconds?: number };

export type Explanation = {
  summary: string;
  offersConsidered: number;
  constraints: { constraint: string; failed: number; expected: string }[];
  nearest: { offerId: string; providerId: string; failed: { constraint: string; detail: string }[] }[];
  smallestChange: { field: string; from: string; to: string; text: string } | null;
};

export type Candidate = {
  offerId: string;
  providerId: string;
  region: string;
  rate: Money;
  score: number;
  terms: { cost: number; geography: number; performance: number; reliability: number; fit: number };
};

export type Quote = {
  matched: boolean;
  rate: Money | null;
  total: Money | null;
  listRate: Money | null;
  /** Share saved against the cloud list price, 0 to 1; null where there is no list price. */
  saving: number | null;
  leases: { group: string; candidates: Candidate[] }[];
  explanation: Explanation | null;
  estimatedStartMs: number | null;
  warnings: string[];
};

export type LeaseState =
  'proposed' | 'accepted' | 'funded' | 'active' | 'closing' | 'closed' | 'rejected' | 'lapsed';

export type Lease = {
  leaseId: string;
  orderId: string;
  group: string;
  providerId: string;
  offerId: string;
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
  name: string;
  run: 'service' | 'job';
  maxRate: Money;
  rate: Money | null;
  durationSeconds: number;
  submittedAt: string;
  expiresAt: string;
  endedReason: string | null;
  leases: Lease[];
  explanation: Explanation | null;
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

export type Workload = {
  leaseId: string;
  namespace: string;
  desired: string;
  observed: string;
  services: { name: string; replicas: number; ready: number }[];
  endpoints: { service: string; port: number; url: string }[];
  runningSince: string | null;
  seconds: number;
  lastSeenAt: string | null;
  failure: { cause: string; message: string } | null;
  provenAbsentAt: string | null;
};

export type Escrow = {
  deposited: Money;
  free: Money;
  locked: Money;
  spent: Money;
  withdrawn: Money;
  chain: { chainId: number; rpcUrl: string; computeMarket: string; usdc: string };
  spendingLimit: { maxRatePerHour: Money; maxLocked: Money; validUntil: string } | null;
};

export type UsageWindow = {
  usageId: string;
  leaseId: string;
  windowStart: string;
  windowEnd: string;
  seconds: number;
  cumulativeSeconds: number;
  amount: Money;
};

export type Provider = {
  providerId: string;
  name: string;
  place: { region: string; country: string; city: string; location: { latitude: number; longitude: number } };
  attributes: Record<string, string>;
  state: string;
  tier: number;
  chainProviderId: number | null;
  stake: Money;
  lastSeenAt: string | null;
  registeredAt: string;
};

export type Offer = {
  offerId: string;
  providerId: string;
  providerName: string;
  revision: number;
  gpu: { model: string; vramMiB: number; interface: string } | null;
  nodes: number;
  gpusTotal: number;
  price: Record<'perGpu' | 'perCpuCore' | 'perMemoryGiB' | 'perStorageGiB', Money>;
  listPricePerGpuHour: Money | null;
  saving: number | null;
  region: string;
  state: string;
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
    settledLeases: number;
    transactions: number;
  };
};

export type Account = { accountId: string; wallet: string; name: string; scopes: string[]; openedAt: string };
export type Tokens = { accessToken: string; accessExpiresAt: string; refreshToken: string; accountId: string };
export type IssuedKey = { apiKeyId: string; key: string; scopes: string[]; expiresAt: string | null };
