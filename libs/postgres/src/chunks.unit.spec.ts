import { describe, expect, it } from '@jest/globals';
import { CHUNK_BYTES, giveBack, takeChunk } from './chunks.ts';

const MOST_IDLE = 64;

/** Takes all that was given back before. */
const emptied = (): void => {
  for (let n = 0; n < MOST_IDLE; n += 1) takeChunk();
};

describe('chunks', () => {
  it('are used again once they are given back, and never by two', () => {
    emptied();
    const [one, other] = [takeChunk(), takeChunk()];
    expect(one).not.toBe(other);
    expect(one).toHaveLength(CHUNK_BYTES);
    giveBack(one);
    expect(takeChunk()).toBe(one);
    expect(takeChunk()).not.toBe(one);
  });

  it('have room for what is asked for; larger ones are not kept', () => {
    emptied();
    giveBack(takeChunk());
    const large = takeChunk(CHUNK_BYTES + 1);
    expect(large).toHaveLength(CHUNK_BYTES + 1);
    takeChunk();
    giveBack(large);
    expect(takeChunk()).toHaveLength(CHUNK_BYTES);
  });

  it('are kept up to a number', () => {
    emptied();
    const chunks = Array.from({ length: MOST_IDLE + 3 }, () => takeChunk());
    for (const chunk of chunks) giveBack(chunk);
    const again = new Set(Array.from({ length: MOST_IDLE + 3 }, () => takeChunk()));
    expect(chunks.filter((chunk) => again.has(chunk))).toHaveLength(MOST_IDLE);
  });
});
