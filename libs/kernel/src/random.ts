/** The only way code learns chance; tests and replays hand in a seeded one. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
}

export const systemRandom: Random = { next: () => Math.random() };

/** mulberry32: 32 bits of state, a full period, good enough to break ties and to drive tests; not for secrets. */
export const seededRandom = (seed: number): Random => {
  let state = seed >>> 0;
  return {
    next: () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = state;
      t = Math.imul(t ^ (t >>> 15), t | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
};

/** An integer in [0, bound). */
export const nextInt = (random: Random, bound: number): number => Math.floor(random.next() * bound);

/** The same items in a random order (Fisher-Yates). */
export const shuffled = <T>(random: Random, items: readonly T[]): T[] => {
  const all = [...items];
  for (let last = all.length - 1; last > 0; last -= 1) {
    const other = nextInt(random, last + 1);
    [all[last], all[other]] = [all[other]!, all[last]!];
  }
  return all;
};
