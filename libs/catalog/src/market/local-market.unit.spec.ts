import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { findGpu } from '../gpu/gpu-name.ts';
import { sharingText } from '../gpu/unit-share.ts';
import { DIVIDED, PROVIDER_ROWS } from './local-market.data.ts';
import { localMarket } from './local-market.ts';

const SNAPSHOT = join(import.meta.dirname, '../../../../../shared/data/market/vast_offers_snapshot.csv');
const withSnapshot = existsSync(SNAPSHOT) ? it : it.skip;

const offers = localMarket.providers.flatMap((provider) => provider.offers);

describe('the local market', () => {
  it('has providers with names, keys and places of their own', () => {
    expect(localMarket.providers).toHaveLength(14);
    expect(new Set(localMarket.providers.map((provider) => provider.key)).size).toBe(14);
    expect(new Set(localMarket.providers.map((provider) => provider.name)).size).toBe(14);
    expect(new Set(localMarket.providers.map((provider) => provider.place.region)).size).toBeGreaterThan(8);
  });

  it('splits the price of a machine over its GPUs without losing a micro', () => {
    for (const { machines } of PROVIDER_ROWS) {
      for (const [gpu, gpus, , cents] of machines) {
        expect([gpu, (BigInt(cents) * 10_000n) % BigInt(gpus)]).toEqual([gpu, 0n]);
      }
    }
  });

  it('sells parts of GPUs at that part of what a row of the snapshot asks for the whole', () => {
    const rows = PROVIDER_ROWS.flatMap(({ machines }) => machines.map((row) => row.join('|')));
    for (const { like } of DIVIDED) expect(rows).toContain(like.join('|'));
    const parts = offers.flatMap(({ gpu, nodes, price }) =>
      gpu === null || gpu.sharing.mode === 'whole'
        ? []
        : [[gpu.model, gpu.vramMiB, sharingText(gpu.sharing), nodes[0]!.gpus, price.perGpu]],
    );
    // 0.87 / 7, rounded up, and 0.40 / 4.
    expect(parts).toEqual([
      ['rtx4090', 24_576, 'shared:4', 8, 100_000n],
      ['a100', 81_920, 'mig:1g.10gb', 14, 124_286n],
    ]);
  });

  it('offers only models of the catalogue, in variants that were sold', () => {
    for (const { gpu } of offers) {
      if (gpu === null) continue;
      const model = findGpu(gpu.model)!;
      expect(model.variants.some((v) => v.vramMiB === gpu.vramMiB && v.interface === gpu.interface)).toBe(
        true,
      );
    }
  });

  it('labels the offers of a provider apart', () => {
    for (const provider of localMarket.providers) {
      const labels = provider.offers.map((offer) => offer.label);
      expect(new Set(labels).size).toBe(labels.length);
      for (const label of labels) expect(label).toMatch(/^[A-Za-z0-9._-]{1,60}$/);
    }
  });

  it('names every machine once, as Kubernetes allows', () => {
    const names = offers.flatMap((offer) => offer.nodes.map((node) => node.name));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);
  });

  withSnapshot('has every row of the snapshot, and no other', () => {
    const [, ...lines] = readFileSync(SNAPSHOT, 'utf8').trim().split('\n');
    const facts = lines.map((line) => {
      const [gpu, gpus, , , vram, price] = line.split(',');
      const place = /"(.*)"/.exec(line)![1]!;
      return [gpu, Number(gpus), Number(vram), Math.round(Number(price) * 100), place].join('|');
    });
    const ours = PROVIDER_ROWS.flatMap(({ machines }) => machines.map((row) => row.join('|')));
    expect(ours.sort()).toEqual(facts.sort());
  });
});
