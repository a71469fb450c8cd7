import type { Instant } from '@gridbourse/kernel';

/** What heartbeats say of a provider. `unseen`: none has ever arrived. */
export type Liveness = 'unseen' | 'online' | 'unreachable' | 'offline';

export type LivenessRules = {
  readonly heartbeatIntervalMs: number;
  /** So many intervals without a heartbeat make a provider unreachable. */
  readonly missedHeartbeats: number;
  /** So much longer, and it is offline: its leases are lost. */
  readonly offlineGraceMs: number;
  /** More than this share of the providers that should be seen, dark at once … */
  readonly massDarknessShare: number;
  /** … and more than so many of them: then it is we who are blind. */
  readonly massDarknessCount: number;
};

export type Watched<Id> = { readonly id: Id; readonly liveness: Liveness; readonly lastSeenAtMs: Instant };

export type Judgement<Id> = {
  readonly unreachable: readonly Id[];
  readonly offline: readonly Id[];
  /** Providers that should be heard of and are not, the ones already unreachable included. */
  readonly dark: number;
  readonly watched: number;
  /** Our outage, not theirs: nobody goes offline while it lasts. */
  readonly frozen: boolean;
};

/**
 * Who has been silent for too long. `sightedSinceMs` is since when we can see at all (our start, or the end of an
 * outage of ours): silence before it is ours and counts against nobody.
 */
export const judgeSilence = <Id>(
  providers: Iterable<Watched<Id>>,
  rules: LivenessRules,
  { atMs, sightedSinceMs }: { atMs: Instant; sightedSinceMs: Instant },
): Judgement<Id> => {
  const darkAfterMs = rules.heartbeatIntervalMs * rules.missedHeartbeats;
  const unreachable: Id[] = [];
  const lost: Id[] = [];
  let dark = 0;
  let watched = 0;
  for (const { id, liveness, lastSeenAtMs } of providers) {
    if (liveness !== 'online' && liveness !== 'unreachable') continue;
    watched += 1;
    const silenceMs = atMs - Math.max(lastSeenAtMs, sightedSinceMs);
    if (silenceMs >= darkAfterMs) {
      dark += 1;
      if (liveness === 'online') unreachable.push(id);
      else if (silenceMs >= darkAfterMs + rules.offlineGraceMs) lost.push(id);
    } else if (liveness === 'unreachable' && lastSeenAtMs < sightedSinceMs) {
      dark += 1; // not seen since we can see again: nothing to conclude yet, but not bright either
    }
  }
  const frozen = dark > rules.massDarknessCount && dark > rules.massDarknessShare * watched;
  return { unreachable, offline: frozen ? [] : lost, dark, watched, frozen };
};
