import { describe, expect, it } from '@jest/globals';
import { gpuUnitText } from './offered-gpu.dto.ts';

describe('what one GPU of an offer is, in a word', () => {
  it.each([
    [{ mode: 'whole' as const }, 'whole'],
    [{ mode: 'mig' as const, profile: '1g.10gb+me' }, '1g.10gb+me'],
    [{ mode: 'shared' as const, slotsPerGpu: 10 }, '1/10'],
  ])('%j', (sharing, text) => {
    expect(gpuUnitText({ sharing })).toBe(text);
  });
});
