import { MOST_HALF } from './halves.ts';
import {
  BITS_AT,
  ENTRIES_AT,
  FANOUT,
  FIELDS,
  FIELDS_AT,
  HALVES,
  NODE_WORDS,
  PAIRS,
  WORDS,
} from './layout.ts';

/** One offer's or one box's fields, halves and bits; see `layout.ts`. */
export type Row = {
  readonly fields: Float32Array;
  readonly halves: Uint16Array;
  readonly bits: Int32Array;
};

/** Of nothing: no question lets it pass, and any box holds it. */
export const emptyRow = (): Row => ({
  fields: new Float32Array(FIELDS).fill(Infinity),
  halves: new Uint16Array(HALVES).fill(MOST_HALF),
  bits: new Int32Array(WORDS),
});

/** Where the first column of halves has the half of an entry, and in which half of the word. */
const firstHalf = (node: number, place: number): number => node * NODE_WORDS + (place % PAIRS);
const shiftOf = (place: number): number => (place < PAIRS ? 0 : 16);

/** The rows of all entries of all nodes, and what the entries are. */
export class Columns {
  fields: Float32Array;
  /** The same memory. */
  words: Int32Array;

  constructor(nodes: number) {
    this.fields = new Float32Array(nodes * NODE_WORDS);
    this.words = new Int32Array(this.fields.buffer);
  }

  /** Makes room for so many nodes. */
  grow(nodes: number): void {
    const words = new Int32Array(nodes * NODE_WORDS);
    words.set(this.words);
    this.words = words;
    this.fields = new Float32Array(words.buffer);
  }

  entry(node: number, place: number): number {
    return this.words[node * NODE_WORDS + ENTRIES_AT + place]!;
  }

  putEntry(node: number, place: number, entry: number): void {
    this.words[node * NODE_WORDS + ENTRIES_AT + place] = entry;
  }

  half(node: number, place: number, column: number): number {
    return (this.words[firstHalf(node, place) + column * PAIRS]! >>> shiftOf(place)) & 0xffff;
  }

  read(node: number, place: number, { fields, halves, bits }: Row): void {
    const { words } = this;
    const at = node * NODE_WORDS + place;
    const shift = shiftOf(place);
    for (let i = 0; i < FIELDS; i += 1) fields[i] = this.fields[at + FIELDS_AT + i * FANOUT]!;
    for (let i = 0, half = firstHalf(node, place); i < HALVES; i += 1, half += PAIRS)
      halves[i] = words[half]! >>> shift;
    for (let i = 0; i < WORDS; i += 1) bits[i] = words[at + BITS_AT + i * FANOUT]!;
  }

  write(node: number, place: number, { fields, halves, bits }: Row): void {
    const { words } = this;
    const at = node * NODE_WORDS + place;
    const shift = shiftOf(place);
    for (let i = 0; i < FIELDS; i += 1) this.fields[at + FIELDS_AT + i * FANOUT] = fields[i]!;
    for (let i = 0, half = firstHalf(node, place); i < HALVES; i += 1, half += PAIRS)
      words[half] = (words[half]! & (0xffff_0000 >>> shift)) | (halves[i]! << shift);
    for (let i = 0; i < WORDS; i += 1) words[at + BITS_AT + i * FANOUT] = bits[i]!;
  }

  isAt(node: number, place: number, { fields, halves, bits }: Row): boolean {
    const { words } = this;
    const at = node * NODE_WORDS + place;
    const shift = shiftOf(place);
    for (let i = 0; i < FIELDS; i += 1)
      if (this.fields[at + FIELDS_AT + i * FANOUT] !== fields[i]) return false;
    for (let i = 0, half = firstHalf(node, place); i < HALVES; i += 1, half += PAIRS)
      if (((words[half]! >>> shift) & 0xffff) !== halves[i]) return false;
    for (let i = 0; i < WORDS; i += 1) if (words[at + BITS_AT + i * FANOUT] !== bits[i]) return false;
    return true;
  }

  /** Makes the box of an entry large enough for a row. */
  widen(node: number, place: number, { fields, halves, bits }: Row): void {
    const { words } = this;
    const at = node * NODE_WORDS + place;
    const shift = shiftOf(place);
    for (let i = 0, field = at + FIELDS_AT; i < FIELDS; i += 1, field += FANOUT)
      if (fields[i]! < this.fields[field]!) this.fields[field] = fields[i]!;
    for (let i = 0, half = firstHalf(node, place); i < HALVES; i += 1, half += PAIRS) {
      const word = words[half]!;
      if (halves[i]! < ((word >>> shift) & 0xffff))
        words[half] = (word & (0xffff_0000 >>> shift)) | (halves[i]! << shift);
    }
    for (let i = 0; i < WORDS; i += 1) words[at + BITS_AT + i * FANOUT]! |= bits[i]!;
  }

  /** The box of the first so many entries of a node, into the row. */
  box(node: number, count: number, { fields, halves, bits }: Row): void {
    const at = node * NODE_WORDS;
    for (let i = 0, field = at + FIELDS_AT; i < FIELDS; i += 1, field += FANOUT) {
      let least = Infinity;
      for (let place = 0; place < count; place += 1) {
        const value = this.fields[field + place]!;
        if (value < least) least = value;
      }
      fields[i] = least;
    }
    const [lower, upper] = [Math.min(count, PAIRS), Math.max(0, count - PAIRS)];
    for (let i = 0, half = at; i < HALVES; i += 1, half += PAIRS) {
      let least = MOST_HALF;
      for (let pair = 0; pair < lower; pair += 1) {
        const value = this.words[half + pair]! & 0xffff;
        if (value < least) least = value;
      }
      for (let pair = 0; pair < upper; pair += 1) {
        const value = this.words[half + pair]! >>> 16;
        if (value < least) least = value;
      }
      halves[i] = least;
    }
    for (let i = 0, word = at + BITS_AT; i < WORDS; i += 1, word += FANOUT) {
      let all = 0;
      for (let place = 0; place < count; place += 1) all |= this.words[word + place]!;
      bits[i] = all;
    }
  }
}
