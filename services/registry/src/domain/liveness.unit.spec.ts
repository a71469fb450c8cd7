import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { judgeSilence, type Liveness, type LivenessRules, type Watched } from './liveness.ts';

const rules: LivenessRules = {
  heartbeatIntervalMs: 10,
  missedHeartbeats: 3,
  offlineGraceMs: 100,
  massDarknessShare: 0.3,
  massDarknessCount: 3,
};

const seen = (id: number, liveness: Liveness, lastSeenAtMs: number): Watched<number> => ({
  id,
  liveness,
  lastSeenAtMs,
});
const many = (count: number, liveness: Liveness, lastSeenAtMs: number, from = 0): Watched<number>[] =>
  Array.from({ length: count }, (_, n) => seen(from + n, liveness, lastSeenAtMs));

const judge = (providers: Watched<number>[], atMs: number, sightedSinceMs = 0) =>
  judgeSilence(providers, rules, { atMs, sightedSinceMs });

describe('silence', () => {
  it('of three intervals makes unreachable, of the grace time on top offline', () => {
    expect(judge([seen(1, 'online', 1_000)], 1_029)).toMatchObject({ unreachable: [], offline: [], dark: 0 });
    expect(judge([seen(1, 'online', 1_000)], 1_030)).toMatchObject({ unreachable: [1], offline: [] });
    expect(judge([seen(1, 'unreachable', 1_000)], 1_129)).toMatchObject({ offline: [], dark: 1 });
    expect(judge([seen(1, 'unreachable', 1_000)], 1_130)).toMatchObject({ offline: [1] });
  });

  it('never makes an online provider offline in one step', () => {
    expect(judge([seen(1, 'online', 0)], 1_000_000)).toMatchObject({ unreachable: [1], offline: [] });
  });

  it('before we could see counts against nobody', () => {
    expect(judge([seen(1, 'online', 0)], 1_029, 1_000)).toMatchObject({ unreachable: [], offline: [] });
    expect(judge([seen(1, 'unreachable', 0)], 1_129, 1_000)).toMatchObject({ offline: [] });
    expect(judge([seen(1, 'unreachable', 0)], 1_130, 1_000)).toMatchObject({ offline: [1] });
  });

  it('of many at once is our outage: unreachable, but nobody offline', () => {
    const dark = [...many(4, 'unreachable', 0), ...many(6, 'online', 990, 10)];
    expect(judge(dark, 1_000)).toMatchObject({ frozen: true, offline: [], dark: 4, watched: 10 });
    const few = [...many(3, 'unreachable', 0), ...many(6, 'online', 990, 10)];
    expect(judge(few, 1_000)).toMatchObject({ frozen: false, offline: [0, 1, 2] });
    const smallShare = [...many(4, 'unreachable', 0), ...many(16, 'online', 990, 10)];
    expect(judge(smallShare, 1_000)).toMatchObject({ frozen: false, offline: [0, 1, 2, 3] });
  });

  it('says nothing of providers never seen or already offline', () => {
    expect(judge([seen(1, 'unseen', 0), seen(2, 'offline', 0)], 9_999)).toMatchObject({
      unreachable: [],
      offline: [],
      watched: 0,
    });
  });

  it('judges nobody who was heard of within three intervals, whatever the others do', () => {
    const provider = fc.record({
      id: fc.nat(),
      liveness: fc.constantFrom<Liveness>('unseen', 'online', 'unreachable', 'offline'),
      lastSeenAtMs: fc.nat(2_000),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(provider, { selector: (p) => p.id, maxLength: 30 }),
        fc.nat(1_000),
        (providers, sighted) => {
          const { unreachable, offline, frozen } = judge(providers, 2_000, sighted);
          const judged = new Set([...unreachable, ...offline]);
          for (const { id, lastSeenAtMs } of providers) {
            if (2_000 - lastSeenAtMs < 30) expect(judged.has(id)).toBe(false);
          }
          if (frozen) expect(offline).toEqual([]);
        },
      ),
    );
  });
});
