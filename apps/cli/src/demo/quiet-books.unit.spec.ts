import type { Books } from '@gridbourse/sdk';
import { describe, expect, it } from '@jest/globals';
import { demandQuietBooks } from './quiet-books.ts';

const booksWith = (leases: Books['leases']): Books => ({ leases }) as Books;

describe('the books before a demo', () => {
  it('are quiet where every lease has ended, or there is none', () => {
    expect(() => demandQuietBooks(booksWith({}))).not.toThrow();
    const ended = { closed: 3, lapsed: 1, funding_failed: 2 };
    expect(() => demandQuietBooks(booksWith(ended))).not.toThrow();
  });

  it.each(['proposed', 'opening', 'open', 'closing'])('are not while a lease is %s', (state) => {
    expect(() => demandQuietBooks(booksWith({ closed: 3, [state]: 2 }))).toThrow(
      expect.objectContaining({ code: 'other_leases_run', message: expect.stringMatching(/^2 other lease/) }),
    );
  });
});
