import type { Random } from '@gridbourse/kernel';

export type FaultEffect =
  /** The answer comes later. */
  | { kind: 'latency'; ms: number; jitterMs?: number }
  /** Nothing happens and this status is answered, for example 429, 500 or 503. */
  | { kind: 'error'; status: number; retryAfterSeconds?: number }
  /** A write is refused with 409 as if somebody had been faster. */
  | { kind: 'conflict' }
  /** The connection is cut: `before` the request had an effect, or `after`, so that only the answer is lost. */
  | { kind: 'reset'; when: 'before' | 'after' }
  /** The request is taken and never answered. */
  | { kind: 'hang' }
  /** A list misses some of its items and does not say so; `keep` is the share that is shown. */
  | { kind: 'partial-list'; keep: number }
  /** A watch is cut after so many milliseconds. */
  | { kind: 'drop-watch'; afterMs: number }
  /** A watch stays open and says nothing from so many milliseconds on. */
  | { kind: 'silent-watch'; afterMs: number };

export type FaultRule = {
  id: string;
  effect: FaultEffect;
  /** Methods it applies to; all when absent. */
  methods?: readonly string[];
  /** A regular expression on the path; all when absent. */
  path?: string;
  /** Share of the requests it hits; 1 when absent. */
  probability?: number;
  /** How often it strikes before it goes away; for ever when absent. */
  times?: number;
};

/** Faults on demand. What has been asked for is what happens: nothing fails by itself. */
export class FaultPlan {
  private rules: FaultRule[] = [];
  private nextId = 1;
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  add(rule: Omit<FaultRule, 'id'> & { id?: string }): string {
    const id = rule.id ?? `fault-${this.nextId++}`;
    this.rules = [...this.rules.filter((each) => each.id !== id), { ...rule, id }];
    return id;
  }

  remove(id: string): boolean {
    const before = this.rules.length;
    this.rules = this.rules.filter((rule) => rule.id !== id);
    return this.rules.length < before;
  }

  clear(): void {
    this.rules = [];
  }

  list(): readonly FaultRule[] {
    return this.rules;
  }

  /** The effects that hit this request; each counts as one strike of its rule. */
  strike(method: string, path: string, applicable: (effect: FaultEffect) => boolean): FaultEffect[] {
    const hits: FaultEffect[] = [];
    for (const rule of [...this.rules]) {
      if (!applicable(rule.effect)) continue;
      if (rule.methods && !rule.methods.includes(method)) continue;
      if (rule.path !== undefined && !new RegExp(rule.path).test(path)) continue;
      if (rule.probability !== undefined && this.random.next() >= rule.probability) continue;
      hits.push(rule.effect);
      if (rule.times !== undefined) {
        rule.times -= 1;
        if (rule.times <= 0) this.remove(rule.id);
      }
    }
    return hits;
  }

  /** Uniform in [0, 1), from the same seeded source. */
  chance(): number {
    return this.random.next();
  }
}
