export type ChainLogState = {
  readonly state: 'pending' | 'finalized' | 'retracted';
  /** How often this very block came back after a reorg had taken it away. */
  readonly incarnation: number;
};

export type Tidings = 'observed' | 'finalized' | 'retracted';

/** What hearing about a log changes: whether its money is to be booked, taken back, or neither. */
export type Heard = { readonly next: ChainLogState; readonly effect: 'book' | 'undo' | 'none' };

/**
 * Pure and total: hearing the same twice changes nothing. A finalized log that was never observed is booked; a
 * retraction of what is unknown is remembered and moves no money.
 */
export const hear = (tidings: Tidings, known: ChainLogState | null): Heard => {
  const state = known?.state ?? null;
  const incarnation = known?.incarnation ?? 0;
  switch (tidings) {
    case 'observed':
    case 'finalized': {
      const next = tidings === 'finalized' || state === 'finalized' ? 'finalized' : 'pending';
      if (state === null) return { next: { state: next, incarnation: 0 }, effect: 'book' };
      if (state === 'retracted')
        return { next: { state: next, incarnation: incarnation + 1 }, effect: 'book' };
      return { next: { state: next, incarnation }, effect: 'none' };
    }
    case 'retracted':
      return {
        next: { state: 'retracted', incarnation },
        effect: state === null || state === 'retracted' ? 'none' : 'undo',
      };
  }
};
