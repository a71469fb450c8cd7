import { seededRandom } from '@gridbourse/kernel';
import { Cluster, type NodeSpec, type RequestShape, ShapeTable } from '@gridbourse/matchmaker/placement';
import { describe, expect, it } from '@jest/globals';
import { asSold, marketPacking } from './as-sold.ts';

const machine = (model: string, gpus: number): NodeSpec => ({ cpuMillis: 8_000, memoryMiB: 64, gpus, model });
const request: RequestShape = { cpuMillis: 1_000, memoryMiB: 1, gpus: 1, gpuThousandths: 500, models: null };

describe('requests as the market sells to them', () => {
  it('are for whole GPUs of one model, each as often as there are GPUs of it', () => {
    const nodes = [machine('a', 6), machine('b', 2)];
    const sold = asSold(Array<RequestShape>(4_000).fill(request), nodes, seededRandom(1));
    expect(sold).toHaveLength(4_000);
    expect(new Set(sold.map(({ gpuThousandths }) => gpuThousandths))).toEqual(new Set([1_000]));
    const ofA = sold.filter(({ models }) => models!.join() === 'a').length;
    expect(ofA + sold.filter(({ models }) => models!.join() === 'b').length).toBe(4_000);
    expect(ofA / 4_000).toBeCloseTo(0.75, 1);
  });

  it('are not for what nobody has, nor for no GPU', () => {
    const pods = [
      { ...request, models: ['b', 'c'] },
      { ...request, models: ['c'] },
      { ...request, gpus: 0, gpuThousandths: 0 },
    ];
    expect(asSold(pods, [machine('a', 1), machine('b', 1)], seededRandom(1))).toEqual([
      { ...request, gpuThousandths: 1_000, models: ['b'] },
    ]);
  });

  it('are packed best fit on the machines of their model, while there is room', () => {
    const cluster = new Cluster([machine('a', 4), machine('b', 1), machine('a', 2)]);
    const shapes = new ShapeTable();
    const id = shapes.idOf({ ...request, gpus: 2, gpuThousandths: 1_000, models: ['a'] });
    const policy = marketPacking(cluster, shapes);
    const places: (number | undefined)[] = [];
    for (let i = 0; i < 4; i += 1) {
      const choice = policy.choose(id);
      places.push(choice?.node);
      if (choice) cluster.place(choice, shapes.at(id));
    }
    expect(places).toEqual([2, 0, 0, undefined]);
  });
});
