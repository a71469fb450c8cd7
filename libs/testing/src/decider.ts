import { deepStrictEqual, fail } from 'node:assert/strict';
import { type Decider, DomainError, fold } from '@gridbourse/kernel';

export type Outcome<State, Event> = {
  /** The decision is exactly these events, in this order. */
  then(expected: readonly Event[]): void;
  /** The decision is that nothing is to be done. */
  thenNothing(): void;
  /** The command is refused with a DomainError of this code. */
  thenRejected(code: string): void;
  /** What the aggregate is after the decision. */
  thenState(check: (state: State) => void): void;
};

const caught = (work: () => unknown): unknown => {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
};

/**
 * A test of a decider as a sentence: `given(lease, [proposed]).when({ type: 'Accept' }).then([accepted])`.
 * The checks throw assertion errors at once; nothing here is asynchronous.
 */
export const given = <Command, State, Event>(
  decider: Decider<Command, State, Event>,
  events: readonly Event[] = [],
): { when(command: Command): Outcome<State, Event> } => ({
  when: (command) => {
    const before = fold(decider.evolve, decider.initial, events);
    const decide = (): readonly Event[] => decider.decide(command, before);
    return {
      then: (expected) => deepStrictEqual([...decide()], [...expected]),
      thenNothing: () => deepStrictEqual([...decide()], []),
      thenRejected: (code) => {
        const error = caught(decide);
        if (error === undefined) fail(`expected the command to be refused with ${code}, but it was taken`);
        if (!(error instanceof DomainError)) throw error as Error;
        deepStrictEqual(error.code, code, error.message);
      },
      thenState: (check) => check(fold(decider.evolve, before, decide())),
    };
  },
});
