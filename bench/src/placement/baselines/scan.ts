import type { Choice, Cluster, PlacementPolicy, ShapeId, ShapeTable } from '@gridbourse/matchmaker/placement';

/** Higher is better; of equal scores the one with the higher `tie` wins, of equal ties the lot or the last name decides. */
export type Scored = { readonly score: number; readonly tie: number; readonly gpu: number };

/** Scores a machine that has room; only machines that have changed are scored again. */
export type Scorer = (node: number, shape: ShapeId) => Scored;

/** Looks at every machine, in the order of names. `lot` breaks the last ties by chance; without it the last name wins. */
export const scanPolicy = (
  cluster: Cluster,
  shapes: ShapeTable,
  scorer: Scorer,
  lot: (() => number) | null,
): PlacementPolicy => {
  const cache = new Map<ShapeId, { seen: Int32Array; scores: (Scored | null)[] }>();
  const choose = (id: ShapeId): Choice | null => {
    let known = cache.get(id);
    if (!known) {
      known = {
        seen: new Int32Array(cluster.size).fill(-1),
        scores: new Array<null>(cluster.size).fill(null),
      };
      cache.set(id, known);
    }
    const shape = shapes.at(id);
    let best: Scored | null = null;
    let chosen = -1;
    let ties = 0;
    for (let node = 0; node < cluster.size; node += 1) {
      const version = cluster.version[node]!;
      if (known.seen[node] !== version) {
        known.seen[node] = version;
        known.scores[node] = cluster.fits(node, shape) ? scorer(node, id) : null;
      }
      const scored = known.scores[node]!;
      if (scored === null) continue;
      if (
        best === null ||
        scored.score > best.score ||
        (scored.score === best.score && scored.tie > best.tie)
      ) {
        ties = 1;
      } else if (scored.score === best.score && scored.tie === best.tie) {
        ties += 1;
        if (lot && lot() * ties >= 1) continue;
      } else continue;
      best = scored;
      chosen = node;
    }
    return best && { node: chosen, gpu: best.gpu };
  };
  return { arrived: () => undefined, choose };
};
