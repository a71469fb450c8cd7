import type { ClusterFaults, Outage } from './cluster-faults.ts';
import type { FaultRule } from './faults.ts';

type Answer = { status: number; body: unknown };

/**
 * Faults over HTTP, with the token of the cluster:
 * - `GET /sim/faults`, `POST /sim/faults` (a rule), `DELETE /sim/faults[/<id>]`
 * - `POST /sim/down {"outage": "refuse"|"hang", "forMs"}`, `POST /sim/up`; a refusing cluster needs `forMs`, since it
 *   cannot be told to come back
 * - `POST /sim/nodes/<name>/lose | unready | restore`, `POST /sim/nodes/<name>/gpus {"usable"}`
 * - `POST /sim/watches/cut | silence`, `POST /sim/compact`
 */
export const createAdmin =
  (faults: ClusterFaults) =>
  (method: string, path: string, body: unknown): Answer | undefined => {
    const [, , what, name, verb] = path.split('/').map(decodeURIComponent);
    const given = (body ?? {}) as Record<string, unknown>;
    const ok = (answer: unknown = {}): Answer => ({ status: 200, body: answer });
    if (what === 'faults') {
      if (method === 'GET') return ok({ rules: faults.list(), down: faults.down });
      if (method === 'POST') {
        if (typeof (given['effect'] as { kind?: unknown } | undefined)?.kind !== 'string') {
          return { status: 400, body: { message: 'a rule has an effect with a kind' } };
        }
        return ok({ id: faults.add(given as unknown as FaultRule) });
      }
      if (method === 'DELETE')
        return name === undefined ? ok(faults.clear()) : ok({ removed: faults.remove(name) });
    }
    if (method !== 'POST') return undefined;
    if (what === 'down') {
      const outage = (given['outage'] ?? 'hang') as Outage;
      const forMs = given['forMs'] as number | undefined;
      if (outage === 'refuse' && forMs === undefined) {
        return { status: 400, body: { message: 'a refusing cluster needs forMs to come back' } };
      }
      setImmediate(() => void faults.takeDown(outage, forMs));
      return ok();
    }
    if (what === 'up') {
      setImmediate(() => void faults.bringUp());
      return ok();
    }
    if (what === 'watches' && name === 'cut') return ok({ watches: faults.cutWatches() });
    if (what === 'watches' && name === 'silence') return ok({ watches: faults.silenceWatches() });
    if (what === 'compact') return ok(faults.compact());
    if (what === 'nodes' && name !== undefined) {
      if (verb === 'lose') return ok(faults.loseNode(name));
      if (verb === 'unready') return ok(faults.unreadyNode(name));
      if (verb === 'restore') return ok(faults.restoreNode(name));
      if (verb === 'gpus') return ok(faults.limitGpus(name, (given['usable'] ?? null) as number | null));
    }
    return undefined;
  };
