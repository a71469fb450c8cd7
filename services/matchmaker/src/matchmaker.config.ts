import { baseConfig } from '@gridbourse/api';
import { z } from 'zod';

const milliseconds = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const count = (most: number) => z.coerce.number().int().min(1).max(most);

export const matchmakerConfig = baseConfig.extend({
  /** Secrets of manifests are sealed to it before anything is stored. Only the orchestrator can open them. */
  orchestratorSealingPublicKey: z.object({
    keyId: z.string().min(1).max(80),
    publicKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'expected 32 bytes in base64url'),
  }),
  /** A provider without a standing policy has so long to answer a proposal. */
  acceptWithinMs: milliseconds(1_000, 3_600_000).default(60_000),
  /** An accepted lease has so long to be funded on chain. */
  fundWithinMs: milliseconds(5_000, 3_600_000).default(120_000),
  /** A lease whose funding was undone by a reorganisation has so long to be funded again. */
  refundWithinMs: milliseconds(5_000, 3_600_000).default(300_000),
  /** The first try after money was missing; pauses double from there, up to ten minutes. */
  fundingRetryMs: milliseconds(1_000, 600_000).default(15_000),
  /** How often our own clock looks for deadlines that have passed. */
  deadlineCheckMs: milliseconds(10, 10_000).default(250),
  /** An order that does not say how long it may wait in the book. */
  defaultWaitSeconds: count(604_800).default(3_600),
  maxWaitSeconds: count(2_592_000).default(604_800),
  maxDurationSeconds: count(157_680_000).default(31_536_000),
  /** Not ended, for each account. */
  maxOpenOrders: count(100_000).default(500),
  /** Alive, for each account. */
  maxOpenLeases: count(100_000).default(1_000),
  /** Waiting orders tried in one decision when capacity appears. */
  rematchAtOnce: count(10_000).default(100),
  /** How long an auction takes sealed bids where its order does not say. */
  auctionWindowSeconds: count(3_600).default(5),
  minAuctionWindowSeconds: count(3_600).default(1),
  maxAuctionWindowSeconds: count(86_400).default(600),
  /** A provider stands by its bid for so long after the window has closed. */
  bidValidMs: milliseconds(0, 86_400_000).default(600_000),
  /** Bids on one order, each counted once. */
  maxBidsPerOrder: count(4_000).default(1_000),
  /** Bids of one provider on one order, counted each time it places or replaces one. */
  maxBidsPerProvider: count(1_000).default(50),
  /** Offers that a quote names for each group. */
  quoteCandidates: count(50).default(5),
  /** Event streams open at once, for each account. */
  maxStreams: count(1_000).default(50),
});
export type MatchmakerConfig = z.output<typeof matchmakerConfig>;
