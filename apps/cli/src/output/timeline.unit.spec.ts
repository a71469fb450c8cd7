import { describe, expect, it } from '@jest/globals';
import { stripVTControlCharacters } from 'node:util';
import { timelineLine } from './timeline.ts';

describe('a line of a timeline', () => {
  it('says when and what, and keeps its columns whatever has happened', () => {
    const at = '2026-11-24T12:00:01.500Z';
    const lines = ['LeaseFunded', 'WorkloadProvisioning', 'LeaseFundingRetracted'].map((type) =>
      stripVTControlCharacters(
        timelineLine(
          { id: '1', at, type, leaseId: null, text: 'it is so', data: {} },
          Date.parse(at) - 1_500,
        ),
      ),
    );
    expect(lines[0]).toBe('  12:00:01.500     1.50 s  LeaseFunded           it is so');
    expect(new Set(lines.map((line) => line.indexOf('it is so'))).size).toBe(1);
  });
});
