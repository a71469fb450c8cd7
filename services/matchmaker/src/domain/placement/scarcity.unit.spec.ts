import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Cluster } from './cluster.ts';
import { chanceOf, demandingOf, provident, scarcity, slotStep } from './gang-places.ts';
import { ScarcityPrices } from './scarcity.ts';

const amount = fc.double({ min: 0, max: 1e9, noNaN: true });
const shape = { cpuMillis: 1_000, memoryMiB: 1, gpus: 1, gpuThousandths: 1_000, models: null };

describe('what is to come', () => {
  const seen = fc.integer({ min: 0, max: 60 });
  const ahead = fc.double({ min: 0, max: 100, noNaN: true });
  const places = fc.nat({ max: 500 });

  it('is as likely to reach so many as the geometric distribution says where that is the case', () => {
    // Half a request seen and half of the prior make the shape 1.
    fc.assert(
      fc.property(ahead, places, (times, many) => {
        expect(chanceOf(0.5, times, many)).toBeCloseTo((times / (1 + times)) ** many, 9);
      }),
    );
  });

  it('is less likely to reach more, and more likely when more has been seen or more is ahead', () => {
    fc.assert(
      fc.property(seen, ahead, places, fc.integer({ min: 1, max: 49 }), (few, times, many, more) => {
        const chance = chanceOf(few, times, many);
        expect(chance).toBeGreaterThanOrEqual(0);
        expect(chance).toBeLessThanOrEqual(1);
        expect(chanceOf(few, times, many + more)).toBeLessThanOrEqual(chance + 1e-9);
        expect(chanceOf(few, times + more, many)).toBeGreaterThanOrEqual(chance - 1e-9);
        if (few + more <= 50) expect(chanceOf(few + more, times, many)).toBeGreaterThanOrEqual(chance - 1e-9);
      }),
    );
    expect(chanceOf(3, 1, 0)).toBe(1);
  });

  it('is provided for the more, the less is known', () => {
    expect(provident(9)).toBe(12);
    expect(provident(9, 3)).toBe(15);
    expect(provident(0, 3)).toBe(0);
  });
});

describe('scarcity', () => {
  it('is between 0 and 1, grows with demand, and falls with supply', () => {
    fc.assert(
      fc.property(amount, amount, amount, (demand, supply, more) => {
        const price = scarcity(demand, supply);
        expect(price).toBeGreaterThanOrEqual(0);
        expect(price).toBeLessThanOrEqual(1);
        expect(scarcity(demand + more, supply)).toBeGreaterThanOrEqual(price);
        expect(scarcity(demand, supply + more)).toBeLessThanOrEqual(price);
      }),
    );
  });

  it('prices the models of a set when what can go nowhere else asks for all of it', () => {
    const box = (model: string) => ({ cpuMillis: 8_000, memoryMiB: 64, gpus: 4, model });
    const cluster = new Cluster([box('a'), box('b'), box('c'), box('c')]);
    const mix = [
      { shape: { ...shape, models: ['a'] }, weight: 1 },
      { shape: { ...shape, models: ['a', 'b'] }, weight: 1 },
      { shape, weight: 2 },
    ];
    const prices = new ScarcityPrices(mix, cluster);
    prices.refresh();
    // a alone: a quarter of demand on a quarter of supply; a and b: a half on a half; c: nobody insists on it.
    expect([...prices.ofModel]).toEqual([1, 1, 0]);
  });

  it('prices whole machines only while they are short', () => {
    const cluster = new Cluster(
      Array.from({ length: 4 }, () => ({ cpuMillis: 8_000, memoryMiB: 64, gpus: 8, model: 'a' })),
    );
    const prices = (weight: number): ScarcityPrices => {
      const made = new ScarcityPrices(
        [
          { shape: { ...shape, gpus: 8, cpuMillis: 8_000 }, weight },
          { shape, weight: 8 },
        ],
        cluster,
      );
      made.refresh();
      return made;
    };
    const step = slotStep(8, 7);
    expect(prices(0.2).places.loss[step]).toBe(0);
    expect(prices(100).places.loss[step]).toBeGreaterThan(7_000);
    expect(prices(100).places.loss[slotStep(7, 6)]).toBe(0);
  });

  it('prices whole machines a little while nobody has asked for them, and less the longer nobody does', () => {
    const cluster = new Cluster(
      Array.from({ length: 4 }, () => ({ cpuMillis: 8_000, memoryMiB: 64, gpus: 8, model: 'a' })),
    );
    const priceAfter = (weight: number, certain: boolean): number => {
      const prices = new ScarcityPrices([{ shape, weight }], cluster, certain);
      prices.refresh();
      return prices.places.loss[slotStep(8, 7)]!;
    };
    expect(priceAfter(4, true)).toBe(0);
    expect(priceAfter(4, false)).toBeGreaterThan(100);
    expect(priceAfter(16, false)).toBeLessThan(priceAfter(4, false));
    expect(priceAfter(16, false)).toBeGreaterThan(0);
  });

  it('follows what is asked for, while what counts as a place stays', () => {
    const cluster = new Cluster([{ cpuMillis: 8_000, memoryMiB: 64, gpus: 8, model: 'a' }]);
    const gang = (cpuMillis: number) => ({ shape: { ...shape, gpus: 8, cpuMillis }, weight: 1 });
    const prices = new ScarcityPrices([{ shape, weight: 50 }, gang(8_000)], cluster);
    prices.refresh();
    const before = prices.places.loss[slotStep(8, 7)]!;
    prices.expect([gang(16_000)]);
    prices.refresh();
    expect(prices.places.loss[slotStep(8, 7)]).toBe(8_000);
    expect(before).toBeLessThan(8_000);
    expect(prices.places.slots(8, 8_000, 64)).toBe(8);
  });

  it('prices the machines that have what the most demanding ask, and no others, while these are short', () => {
    const machine = (cpuMillis: number) => ({ cpuMillis, memoryMiB: 64, gpus: 8, model: 'a' });
    const cluster = new Cluster([...Array.from({ length: 9 }, () => machine(16_000)), machine(32_000)]);
    const gang = (cpuMillis: number, weight: number) => ({ shape: { ...shape, gpus: 8, cpuMillis }, weight });
    const modest = gang(8_000, 85);
    const demanding = gang(32_000, 15);
    expect(demandingOf([modest, demanding])).toEqual([demanding]);
    expect(demandingOf([modest, gang(32_000, 5)])).toEqual([modest, gang(32_000, 5)]);
    expect(demandingOf([])).toEqual([]);
    const { roomyPlaces } = new ScarcityPrices([modest, demanding], cluster);
    expect(roomyPlaces.slots(8, 32_000, 64)).toBe(8);
    expect(roomyPlaces.slots(8, 31_999, 64)).toBe(7);
    roomyPlaces.refresh(cluster);
    // One and a half such requests to come, and some more by chance, for one such machine.
    expect(roomyPlaces.loss[slotStep(8, 7)]).toBe(8_000);
    expect(roomyPlaces.loss[slotStep(4, 0)]).toBe(0);
  });
});
