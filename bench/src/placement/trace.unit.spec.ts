import { afterAll, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../frame/options.ts';
import { listName, readNodes, readPods } from './trace.ts';

const folder = mkdtempSync(join(tmpdir(), 'placement-trace-'));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const fileOf = (...lines: string[]): string => {
  files += 1;
  const file = join(folder, `${files}.csv`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
};

describe('the lists of the trace', () => {
  it('are read, nodes by name', () => {
    const nodes = readNodes(fileOf('sn,cpu_milli,memory_mib,gpu,model', 'n-2,1,2,3,G2', 'n-1,4,5,6,T4'));
    expect(nodes).toEqual([
      { cpuMillis: 4, memoryMiB: 5, gpus: 6, model: 'T4' },
      { cpuMillis: 1, memoryMiB: 2, gpus: 3, model: 'G2' },
    ]);
    const pods = fileOf(
      'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec',
      'a,1,2,1,470,T4|P100',
      'b,1,2,0,0,',
      'c,1,2,8,1000,',
    );
    expect(readPods(pods)).toEqual([
      { cpuMillis: 1, memoryMiB: 2, gpus: 1, gpuThousandths: 470, models: ['T4', 'P100'] },
      { cpuMillis: 1, memoryMiB: 2, gpus: 0, gpuThousandths: 0, models: null },
      { cpuMillis: 1, memoryMiB: 2, gpus: 8, gpuThousandths: 1_000, models: null },
    ]);
  });

  it('need no column of models', () => {
    const pods = fileOf('name,cpu_milli,memory_mib,num_gpu,gpu_milli', 'a,1,2,1,470');
    expect(readPods(pods)[0]!.models).toBeNull();
  });

  it.each([
    ['a missing column', ['name,cpu_milli,memory_mib,num_gpu', 'a,1,2,1'], 'gpu_milli'],
    ['a short line', ['name,cpu_milli,memory_mib,num_gpu,gpu_milli', 'a,1,2'], ':2 has 3 cells'],
    ['what is no number', ['name,cpu_milli,memory_mib,num_gpu,gpu_milli', 'a,-1,2,1,5'], 'cpu_milli'],
  ])('are refused with %s', (_, lines, message) => {
    expect(() => readPods(fileOf(...lines))).toThrow(message);
    expect(() => readPods(fileOf(...lines))).toThrow(UsageError);
  });

  it('must exist', () => expect(() => readNodes(join(folder, 'none.csv'))).toThrow(UsageError));

  it('are called by what tells them apart', () => {
    expect(listName('/x/openb_pod_list_cpu250.csv')).toBe('cpu250');
    expect(listName('mine.csv')).toBe('mine');
  });
});
