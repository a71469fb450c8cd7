import type { Instant, ProviderId } from '@gridbourse/kernel';
import type { ChallengeKind } from '../../domain/challenges.ts';
import { EMPTY_INVENTORY, type Inventory } from '../../domain/inventory.ts';
import type { Liveness } from '../../domain/liveness.ts';
import type { AgentConnection } from './agent-connection.ts';

export type PendingChallenge = {
  readonly kind: ChallengeKind;
  readonly nonce: string;
  readonly sentAtMs: Instant;
};

/** A provider as telemetry sees it. In memory alone: what must outlast this process is an event or a roll-up. */
export type TrackedProvider = {
  readonly providerId: ProviderId;
  /** Lower case hex with 0x. */
  readonly wallet: string;
  /** As the last event says. */
  liveness: Liveness;
  lastSeenAtMs: Instant;
  /** `issued_at_ms` of the last Hello that was taken; a Hello is good once. */
  lastHelloAtMs: Instant;
  connection: AgentConnection | null;
  connectedAtMs: Instant;
  inventory: Inventory;
  inventoryDigest: string;
  /** The inventory says something that the offers on the market do not reflect yet. */
  offersBehind: boolean;
  hasGpus: boolean;
  nextChallengeAtMs: Instant;
  readonly pending: Map<string, PendingChallenge>;
};

export const track = (
  provider: Pick<
    TrackedProvider,
    'providerId' | 'wallet' | 'liveness' | 'lastSeenAtMs' | 'nextChallengeAtMs'
  >,
): TrackedProvider => ({
  ...provider,
  lastHelloAtMs: 0,
  connection: null,
  connectedAtMs: 0,
  inventory: EMPTY_INVENTORY,
  inventoryDigest: '',
  offersBehind: false,
  hasGpus: false,
  pending: new Map(),
});
