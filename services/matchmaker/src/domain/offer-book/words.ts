/** FNV-1a, 32 bits. */
export const hashOf = (text: string, seed = 0x811c9dc5): number => {
  let hash = seed;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
};

/** Spreads the bits of a number over all 32 (the finalizer of MurmurHash3). */
export const stirred = (number: number): number => {
  let hash = number;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};

/** Two words of 32 bits. */
export type Bits64 = readonly [low: number, high: number];

export const NO_BITS: Bits64 = [0, 0];

export const bit64 = (index: number): Bits64 =>
  index % 64 < 32 ? [(1 << (index % 32)) >>> 0, 0] : [0, (1 << (index % 32)) >>> 0];

export const union = (all: Iterable<Bits64>): Bits64 => {
  let low = 0;
  let high = 0;
  for (const [a, b] of all) {
    low |= a;
    high |= b;
  }
  return [low >>> 0, high >>> 0];
};

const traitBit = (text: string): Bits64 => bit64(stirred(hashOf(text)));

/** The bit of an attribute; several may share one, so a set bit says "maybe" and a clear one "no". */
export const attributeBit = (key: string, value: string): Bits64 => traitBit(`${key}\u0000${value}`);

/** The same of a storage class; null: any class at all. */
export const storageBit = (name: string | null): Bits64 =>
  traitBit(name === null ? '\u0000' : `\u0000${name}`);

/** Numbers words in the order in which they are first seen. Never forgets: for what there are few of. */
export class Vocabulary {
  private readonly numbers = new Map<string, number>();

  get size(): number {
    return this.numbers.size;
  }

  add(word: string): number {
    const known = this.numbers.get(word);
    if (known !== undefined) return known;
    this.numbers.set(word, this.numbers.size);
    return this.numbers.size - 1;
  }

  find(word: string): number | undefined {
    return this.numbers.get(word);
  }
}
