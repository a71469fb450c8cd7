import { describe, expect, it } from '@jest/globals';
import { Notes } from './notes.ts';

describe('notes of searches', () => {
  it('are read by the search that made them, until another overwrites them', () => {
    const notes = new Notes();
    const [first, second] = [notes.newSearch(), notes.newSearch()];
    expect(notes.read(first, 1_000)).toBe(-1);
    notes.write(first, 1_000, 7);
    notes.write(first, 3, 0);
    expect([notes.read(first, 1_000), notes.read(first, 3)]).toEqual([7, 0]);
    expect([notes.read(second, 1_000), notes.read(first, 4)]).toEqual([-1, -1]);
    notes.write(second, 3, 5);
    expect([notes.read(first, 3), notes.read(second, 3)]).toEqual([-1, 5]);
  });
});
