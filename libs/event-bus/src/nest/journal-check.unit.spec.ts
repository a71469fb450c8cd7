import { leaseAccepted, leaseActivated, orderExpired } from '@gridbourse/events';
import { describe, expect, it } from '@jest/globals';
import { checkJournal } from './journal-check.ts';

describe('what is kept of other services', () => {
  it('is what read models are made of', () => {
    expect(() =>
      checkJournal([leaseAccepted, orderExpired], [orderExpired, leaseAccepted, orderExpired]),
    ).not.toThrow();
    expect(() => checkJournal([], [])).not.toThrow();
  });

  it('is refused when no read model hears it', () => {
    expect(() => checkJournal([leaseAccepted, orderExpired], [orderExpired])).toThrow(
      'no read model hears what is kept in the journal: matchmaker.LeaseAccepted',
    );
  });

  it('is refused when a read model would miss something', () => {
    expect(() => checkJournal([leaseAccepted], [leaseActivated, leaseAccepted])).toThrow(
      'read models hear what no handler keeps in the journal: matchmaker.LeaseActivated',
    );
  });
});
