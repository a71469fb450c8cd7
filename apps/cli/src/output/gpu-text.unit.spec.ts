import { describe, expect, it } from '@jest/globals';
import { gpuText, unitText } from './gpu-text.ts';

describe('a GPU in a table', () => {
  it.each([
    [null, '-', 'core'],
    [{ mode: 'whole' }, 'a100', 'whole'],
    [{ mode: 'mig', profile: '1g.10gb' }, 'a100 MIG 1g.10gb', 'MIG 1g.10gb'],
    [{ mode: 'shared', slotsPerGpu: 4 }, 'a100 1/4 shared', '1/4 shared'],
  ] as const)('%j', (sharing, name, unit) => {
    const gpu = sharing && { model: 'a100', sharing };
    expect([gpuText(gpu), unitText(gpu)]).toEqual([name, unit]);
  });
});
