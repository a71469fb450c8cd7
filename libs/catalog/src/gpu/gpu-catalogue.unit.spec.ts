import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { findVariant, gpuClasses, gpuModels, nominalVramMiB } from './gpu-models.ts';
import { findGpu, readGpuName } from './gpu-name.ts';
import { listPrice, listPriceMicrosPerGpuHour } from './list-price.ts';
import { MEASURED } from './throughput.data.ts';
import { estimatedThroughput, throughput, throughputOf, WORKLOAD_CLASSES } from './throughput.ts';

const anyModel = fc.constantFrom(...gpuModels);

describe('the GPU catalogue', () => {
  it('has eleven classes and every published model but the one that was never sold', () => {
    expect(gpuClasses).toHaveLength(11);
    const published = gpuModels.filter((model) => model.classBasis === 'published');
    // The published list counts three A100s and an RTX 8000 Ada: 76.
    expect(published.length + 2 + 1).toBe(76);
  });

  it('names each model once, and each model finds itself by id and by name', () => {
    expect(new Set(gpuModels.map((model) => model.id)).size).toBe(gpuModels.length);
    for (const model of gpuModels) {
      expect([model.id, findGpu(model.id)?.id]).toEqual([model.id, model.id]);
      expect([model.id, findGpu(model.name)?.id]).toEqual([model.id, model.id]);
    }
  });

  it('puts the classes of the market design where it puts them', () => {
    const multiplier = (id: string, vramGb?: number) =>
      findVariant(findGpu(id)!, { vramMiB: vramGb === undefined ? null : vramGb * 1024 })?.class
        .multiplierMilli;
    expect(multiplier('l40s')).toBe(2_000);
    expect(multiplier('rtx6000-ada')).toBe(2_000);
    expect(multiplier('a100', 40)).toBe(3_000);
    expect(multiplier('a100', 80)).toBe(6_000);
    expect(multiplier('h100')).toBe(12_000);
    expect(multiplier('gh200')).toBe(12_000);
    expect(multiplier('h200')).toBe(15_000);
    expect(multiplier('b200')).toBe(15_000);
  });
});

describe('a GPU name', () => {
  it.each([
    ['rtx4090', 'rtx4090', null, null],
    ['RTX_4090', 'rtx4090', null, null],
    ['NVIDIA-GeForce-RTX-4090', 'rtx4090', null, null],
    ['H100 SXM5 80GB', 'h100', 81_920, 'sxm'],
    ['NVIDIA H100 80GB HBM3', 'h100', 81_920, null],
    ['NVIDIA H100 NVL', 'h100', 96_256, 'pcie'],
    ['NVIDIA-A100-SXM4-80GB', 'a100', 81_920, 'sxm'],
    ['a100-pcie-40g', 'a100', 40_960, 'pcie'],
    ['LambdaCloud V100 16GB', 'v100', 16_384, null],
    ['V100M32', 'v100', 32_768, null],
    ['Tesla_V100', 'v100', null, null],
    ['RTX_4070S_Ti', 'rtx4070tisuper', null, null],
    ['RTX_6000Ada', 'rtx6000-ada', null, null],
    ['NVIDIA RTX 6000 Ada Generation', 'rtx6000-ada', null, null],
    ['Quadro RTX 6000', 'rtx6000', null, null],
    ['RTX A6000', 'rtxa6000', null, null],
    ['RTX_PRO_6000_S', 'rtxpro6000', null, null],
    ['NVIDIA GH200 480GB', 'gh200', null, null],
    ['AMD Instinct MI300X OAM', 'mi300x', null, 'sxm'],
  ])('%s is understood', (text, id, vramMiB, bus) => {
    const name = readGpuName(text);
    expect([name?.model.id, name?.vramMiB, name?.interface, name?.sharing]).toEqual([
      id,
      vramMiB,
      bus,
      { kind: 'whole' },
    ]);
  });

  it('says how the GPU is shared', () => {
    expect(readGpuName('NVIDIA-GeForce-RTX-4090-SHARED')?.sharing).toEqual({ kind: 'shared' });
    const slice = readGpuName('NVIDIA-A100-SXM4-80GB-MIG-1g.10gb');
    expect([slice?.model.id, slice?.vramMiB, slice?.sharing]).toEqual([
      'a100',
      81_920,
      { kind: 'mig', profile: '1g.10gb' },
    ]);
  });

  it.each([
    ['', null],
    ['G2', null],
    ['rtx', null],
    ['rtx9999', null],
    ['NVIDIA GeForce RTX 4090 Laptop GPU', null],
    ['x'.repeat(10_000), null],
    ['__proto__', null],
  ])('%s is not', (text, expected) => expect(findGpu(text)).toBe(expected));

  it('survives case, separators and makers’ words around it, and no text breaks it', () => {
    fc.assert(
      fc.property(anyModel, fc.constantFrom(' ', '-', '_'), fc.boolean(), (model, separator, upper) => {
        const written = `NVIDIA ${model.id}`.replaceAll(' ', separator);
        expect(findGpu(upper ? written.toUpperCase() : written)).toBe(model);
      }),
    );
    fc.assert(fc.property(fc.string(), (text) => void readGpuName(text)));
  });
});

describe('VRAM', () => {
  it('as drivers report it is understood as what was sold', () => {
    const nominal = (id: string, reported: number) => nominalVramMiB(findGpu(id)!, reported);
    expect(nominal('h100', 81_559)).toBe(81_920);
    expect(nominal('h100', 95_830)).toBe(96_256);
    expect(nominal('h200', 143_771)).toBe(144_384);
    expect(nominal('l40s', 46_068)).toBe(49_152);
    expect(nominal('rtx4090', 49_140)).toBe(49_152);
    expect(nominal('rtx4090', 16_384)).toBeNull();
  });

  it('of every variant is its own nominal', () => {
    fc.assert(
      fc.property(anyModel, (model) => {
        for (const variant of model.variants) {
          expect(nominalVramMiB(model, variant.vramMiB)).toBe(variant.vramMiB);
          expect(findVariant(model, variant)).toBe(variant);
        }
      }),
    );
  });
});

describe('throughput', () => {
  it('is relative to the A100 SXM4 80 GB', () => {
    for (const workload of WORKLOAD_CLASSES) {
      expect(throughput(findGpu('a100')!, workload, { vramMiB: 81_920, interface: 'sxm' })).toBeCloseTo(
        1,
        12,
      );
    }
  });

  it('is the measured figure where there is one', () => {
    const h100 = findGpu('h100')!;
    const sxm = throughputOf(findVariant(h100, { interface: 'sxm' })!, 'vision');
    expect(sxm.measured).toBe(true);
    // By hand: sqrt((782 / 458) x (2616 / 1582)).
    expect(sxm.relative).toBeCloseTo(1.6804, 3);
  });

  it('is marked as an estimate otherwise, and the estimate is near the measurements it was fitted to', () => {
    expect(throughputOf(findGpu('t4')!.variants[0]!, 'general').measured).toBe(false);
    const worst = (workload: (typeof WORKLOAD_CLASSES)[number]): number =>
      Math.max(
        ...MEASURED.map((row) => {
          const variant = findVariant(findGpu(row.model)!, {
            vramMiB: row.vramGb * 1024,
            interface: row.bus,
          })!;
          return Math.abs(
            estimatedThroughput(variant, workload) / throughputOf(variant, workload).relative - 1,
          );
        }),
      );
    expect(worst('general')).toBeLessThan(0.18);
    expect(worst('language')).toBeLessThan(0.18);
    expect(worst('vision')).toBeLessThan(0.13);
  });

  it('is a positive number for every model and class', () => {
    for (const model of gpuModels) {
      for (const workload of WORKLOAD_CLASSES) {
        expect(throughput(model, workload)).toBeGreaterThan(0);
        expect(throughput(model, workload)).toBeLessThan(10);
      }
    }
  });
});

describe('list prices', () => {
  it('are those that are documented, and none else', () => {
    expect(listPriceMicrosPerGpuHour(findGpu('t4')!)).toBe(520_000n);
    expect(listPrice(findGpu('a100')!)).toMatchObject({ lowMicros: 8_000_000n, highMicros: 10_000_000n });
    expect(listPriceMicrosPerGpuHour(findGpu('h100')!)).toBe(12_000_000n);
    expect(gpuModels.filter((model) => listPrice(model) !== null)).toHaveLength(3);
  });
});
