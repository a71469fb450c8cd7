import { nextInt, seededRandom } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RandomMarket } from '../../../test/random-market.ts';
import type { Candidate } from '../candidates.ts';
import { cheapestRate, emptied, indexedViewOf, matchOrder, rankCandidates, viewOf } from '../matching.ts';
import { groupNeeds } from '../requirements.ts';
import { BoxTree } from './box-tree.ts';
import { emptyRow, type Row } from './columns.ts';
import { MOST_HALF } from './halves.ts';
import { FANOUT, gpuBit, tightestGpus } from './layout.ts';
import { OfferBook } from './offer-book.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });

const shown = (candidates: readonly Candidate[]) =>
  candidates.map(({ offer, provider, rateMicrosPerHour, terms, score }) => [
    offer.offerId,
    provider.providerId,
    rateMicrosPerHour,
    terms,
    score,
  ]);

describe('the offer book', () => {
  it('finds what looking at every offer finds, in the same order, whatever has happened to the market', () => {
    let found = 0;
    let several = 0;
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 400 }), (seed, steps) => {
        const random = seededRandom(seed);
        const scene = new RandomMarket(random, { parts: seed % 2 === 0 });
        scene.steps(nextInt(random, 30));
        const indexed = indexedViewOf(scene.market, scene.book);
        const plain = viewOf(scene.market, scene.book);
        scene.steps(steps);
        for (let round = 0; round < 8; round += 1) {
          scene.steps(nextInt(random, 6));
          const request = scene.request();
          const [need] = groupNeeds(request);
          for (const [fast, slow] of [
            [indexed, plain],
            [emptied(indexed), emptied(plain)],
          ] as const) {
            const expected = rankCandidates(request, need!, slow);
            const offered = [...slow.offers()].length;
            expect(shown(rankCandidates(request, need!, fast))).toEqual(shown(expected));
            expect(cheapestRate(request, need!, fast)).toEqual(cheapestRate(request, need!, slow));
            const few = 1 + nextInt(random, 5);
            expect(shown(rankCandidates(request, need!, fast, few))).toEqual(shown(expected.slice(0, few)));
            found += expected.length;
            if (expected.length > 1 && expected.length < offered) several += 1;
          }
        }
      }),
      { numRuns: 60 },
    );
    expect(found).toBeGreaterThan(500);
    expect(several).toBeGreaterThan(100);
  });

  it.each([false, true])('finds the same where shelves are long (GPUs in parts: %s)', (parts) => {
    const scene = new RandomMarket(seededRandom(11), { parts });
    for (let i = 0; i < 200; i += 1) scene.addProvider();
    for (let i = 0; i < 3_000; i += 1) scene.addOffer();
    const indexed = indexedViewOf(scene.market, scene.book);
    const plain = viewOf(scene.market, scene.book);
    let found = 0;
    for (let round = 0; round < 60; round += 1) {
      scene.steps(40);
      const request = scene.request();
      const [need] = groupNeeds(request);
      const expected = rankCandidates(request, need!, plain);
      expect(shown(rankCandidates(request, need!, indexed, 10))).toEqual(shown(expected.slice(0, 10)));
      if (round % 10 === 0) expect(shown(rankCandidates(request, need!, indexed))).toEqual(shown(expected));
      found += expected.length;
    }
    expect(found).toBeGreaterThan(5_000);
  });

  it('matches gangs as looking at every offer does', () => {
    let matched = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        const scene = new RandomMarket(seededRandom(seed), { parts: seed % 2 === 0 }).steps(250);
        const indexed = indexedViewOf(scene.market, scene.book);
        for (let round = 0; round < 4; round += 1) {
          const request = scene.request(1 + (round % 3));
          const expected = matchOrder(request, viewOf(scene.market, scene.book));
          expect(matchOrder(request, indexed)).toEqual(expected);
          if (expected) matched += 1;
        }
      }),
      { numRuns: 100 },
    );
    expect(matched).toBeGreaterThan(30);
  });

  it('knows as many offers as can be matched', () => {
    const scene = new RandomMarket(seededRandom(5));
    const book = new OfferBook(scene.market, scene.book);
    for (let round = 0; round < 50; round += 1) {
      scene.steps(10);
      const matchable = [...scene.market.offers()].filter((offer) => {
        const provider = scene.market.provider(offer.providerId)!;
        return provider.activated && !provider.suspended && provider.presence === 'online';
      });
      expect(book.size).toBe(matchable.length);
    }
    expect(book.size).toBeGreaterThan(20);
  });
});

describe('GPU bits', () => {
  it('tell the smallest number of GPUs that suffices', () => {
    const bits = gpuBit(0) | gpuBit(2) | gpuBit(8);
    expect([0, 1, 2, 3, 8, 9].map((gpus) => tightestGpus(bits, gpus))).toEqual([0, 2, 2, 8, 8, Infinity]);
    expect(tightestGpus(gpuBit(40), 31)).toBe(31);
    expect(tightestGpus(gpuBit(40), 35)).toBe(35);
    expect(tightestGpus(gpuBit(30), 31)).toBe(Infinity);
  });
});

describe('the tree of boxes', () => {
  it('keeps every slot below its root, inside every box above it, through inserts, changes, removals and when it is made anew', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const random = seededRandom(seed);
        const tree = new BoxTree();
        const slots = new Set<number>();
        for (let others = 0; others < FANOUT + 2; others += 1) tree.open();
        const own = tree.open();
        const rows = new Map<number, Row>();
        const another = (slot: number): Row => {
          const row = emptyRow();
          row.fields.forEach((_, i) => (row.fields[i] = nextInt(random, 100)));
          row.halves.forEach((_, i) => (row.halves[i] = nextInt(random, MOST_HALF + 1)));
          row.bits.forEach((_, i) => (row.bits[i] = 1 << nextInt(random, 32)));
          rows.set(slot, row);
          return row;
        };
        const grows = random.next();
        for (let step = 0; step < 400; step += 1) {
          const some = [...slots][nextInt(random, slots.size)];
          if (random.next() < 0.4 + grows / 2 || some === undefined) {
            const slot = tree.takeSlot();
            tree.insert(own, slot, another(slot));
            slots.add(slot);
          } else if (random.next() < 0.02) {
            const slot = tree.takeSlot();
            another(slot);
            slots.add(slot);
            tree.load(own, [...tree.slotsOf(own), slot], (one) => rows.get(one)!);
          } else if (random.next() < 0.5) {
            tree.replace(some, another(some));
          } else {
            tree.remove(some);
            slots.delete(some);
          }
        }
        const seen: number[] = [];
        const rowAt = (node: number, place: number): Row => {
          const row = emptyRow();
          tree.columns.read(node, place, row);
          return row;
        };
        const check = (node: number): Row => {
          const box = emptyRow();
          expect(tree.treeOf(node)).toBe(own);
          expect(tree.size(node)).toBeGreaterThan(0);
          for (let place = 0; place < tree.size(node); place += 1) {
            const entry = tree.entry(node, place);
            if (tree.isLeaf(node)) {
              seen.push(entry);
              expect([tree.leafOf(entry), tree.placeOf(entry)]).toEqual([node, place]);
            }
            const below = tree.isLeaf(node) ? rows.get(entry)! : check(entry);
            const here = rowAt(node, place);
            expect(here).toEqual(below);
            here.fields.forEach((value, i) => (box.fields[i] = Math.min(box.fields[i]!, value)));
            here.halves.forEach((value, i) => (box.halves[i] = Math.min(box.halves[i]!, value)));
            here.bits.forEach((value, i) => (box.bits[i]! |= value));
          }
          return box;
        };
        const root = tree.rootOf(own);
        const whole = root < 0 ? emptyRow() : check(root);
        expect(rowAt(tree.anchorOf(own), tree.placeInAnchor(own))).toEqual(whole);
        expect(tree.rootOf(own - 1)).toBe(-1);
        expect(seen.sort((a, b) => a - b)).toEqual([...slots].sort((a, b) => a - b));
      }),
      { numRuns: 20 },
    );
  });
});
