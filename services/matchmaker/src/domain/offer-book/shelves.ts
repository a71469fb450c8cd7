import { sharingText } from '@gridbourse/catalog';
import type { GpuSharing } from '@gridbourse/events';
import { gpuSuits } from '../constraints.ts';
import type { Offer } from '../market.ts';
import type { GroupNeed } from '../requirements.ts';
import { throughputOf } from '../scoring.ts';

/** Offers of one kind of GPU sold in one way, or without one. */
export type Shelf = { readonly gpu: Offer['gpu'] };

/** What a search knows of a shelf when it ranks what is on it. */
export type ShelfFacts = { readonly throughput: number; readonly gpu: boolean };

/** Shelves whose GPUs would do. */
export type Choice = {
  /** By the number of the shelf. */
  readonly facts: readonly ShelfFacts[];
  /** The same shelves by throughput, the fastest first. */
  readonly fastestFirst: readonly number[];
  /** Where a search of their trees begins: anchors, and which entries of each. */
  readonly beginnings: readonly Beginning[];
};

export type Beginning = { readonly anchor: number; readonly mask: number };

/** Where the trees of the shelves are; a shelf and its tree have the same number. */
export type Trees = {
  readonly open: () => void;
  readonly anchorOf: (tree: number) => number;
  readonly placeInAnchor: (tree: number) => number;
};

/** Most choices that are remembered; beyond that all are forgotten. */
const MAX_REMEMBERED = 2_000;

const keyOf = (gpu: Offer['gpu']): string =>
  gpu === null
    ? ''
    : `${gpu.vendor}|${gpu.model}|${gpu.vramMiB}|${gpu.interface}|${sharingText(gpu.sharing)}`;

/** No text that a tenant chooses can end before its length says so: different requests have different keys. */
const sized = (text: string | null): string => (text === null ? '-' : `${text.length}:${text}`);

/** All that matters of what is asked of GPUs for which shelves suit: not how many. */
const askedOf = ({ workload, gpuRequests }: GroupNeed): string => {
  let key: string = workload;
  for (const { vendor, sharing, models } of gpuRequests) {
    key += `;${sized(vendor)}${sharing.mode}${sharing.mode === 'shared' ? sharing.milli : ''}`;
    for (const { model, vramMiB, interface: bus, migProfile } of models) {
      key += `,${sized(model)}${vramMiB ?? '-'}/${bus ?? '-'}/${sized(migProfile)}`;
    }
  }
  return key;
};

const add = <Key>(lists: Map<Key, number[]>, key: Key, number: number): void => {
  const list = lists.get(key);
  if (list) list.push(number);
  else lists.set(key, [number]);
};

/** The shelves of an offer book, numbered in the order in which they were first needed. Never forgets one: there are few. */
export class Shelves {
  readonly all: Shelf[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly byModel = new Map<string, number[]>();
  private readonly byMode = new Map<GpuSharing['mode'], number[]>();
  /** What was asked for again and again, since the last new shelf. */
  private readonly choices = new Map<string, Choice>();

  constructor(private readonly trees: Trees) {}

  numberOf(gpu: Offer['gpu']): number {
    const key = keyOf(gpu);
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.all.length;
    this.trees.open();
    this.all.push({ gpu });
    this.numbers.set(key, number);
    if (gpu !== null) {
      add(this.byModel, gpu.model, number);
      add(this.byMode, gpu.sharing.mode, number);
    }
    this.choices.clear();
    return number;
  }

  /** Those that suit what a group asks of GPUs. */
  suiting(need: GroupNeed): Choice {
    const key = askedOf(need);
    const known = this.choices.get(key);
    if (known) return known;
    const choice = this.among(
      this.likely(need).filter((number) => gpuSuits(need, this.all[number]!.gpu)),
      need,
    );
    if (this.choices.size >= MAX_REMEMBERED) this.choices.clear();
    this.choices.set(key, choice);
    return choice;
  }

  private among(shelves: readonly number[], need: GroupNeed): Choice {
    const facts: ShelfFacts[] = [];
    for (const number of shelves) {
      const { gpu } = this.all[number]!;
      facts[number] = { throughput: throughputOf({ offer: { gpu }, need }), gpu: gpu !== null };
    }
    const fastestFirst = [...shelves].sort((a, b) => facts[b]!.throughput - facts[a]!.throughput);
    return { facts, fastestFirst, beginnings: this.beginningsOf(shelves) };
  }

  private beginningsOf(shelves: readonly number[]): Beginning[] {
    const masks = new Map<number, number>();
    for (const number of shelves) {
      const anchor = this.trees.anchorOf(number);
      masks.set(anchor, (masks.get(anchor) ?? 0) | (1 << this.trees.placeInAnchor(number)));
    }
    return Array.from(masks, ([anchor, mask]) => ({ anchor, mask }));
  }

  /** By the model or else by the way of selling that is asked for. */
  private likely({ gpuRequests }: GroupNeed): readonly number[] {
    const named = gpuRequests.find(({ models }) => models.length > 0)?.models;
    if (named) return [...new Set(named.flatMap(({ model }) => this.byModel.get(model) ?? []))];
    const [any] = gpuRequests;
    return any ? (this.byMode.get(any.sharing.mode) ?? []) : this.all.map((_, number) => number);
  }
}
