import type { Match } from './matching.ts';
import type { MatchRequest } from './requirements.ts';

/** One thing about an order, changed; `request` is the order with the change applied. */
export type Change = {
  /** Where in the order, as the API names it. */
  readonly field: string;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  /** How much is given up, for comparing unlike changes: 0 is nothing, 1 is about half of what was asked. */
  readonly size: number;
  readonly request: MatchRequest;
  /** Waiting changes nothing in the order: it matches once the machines that are taken are free. */
  readonly waits: boolean;
};

/**
 * Tries a changed order; a change counts only when it matches.
 * @param size of the change, where it is known before: one that gives up no less than what was found is not tried
 */
export type Try = (request: MatchRequest, size?: number) => Match | null;

export const single = (request: MatchRequest, proposal: Omit<Change, 'request' | 'waits'>): Change => ({
  ...proposal,
  request,
  waits: false,
});
