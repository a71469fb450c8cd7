/**
 * The shape of every aggregate: a decision is a function of a command and the state, a change is a function of the
 * state and an event. Neither does I/O; time, ids and chance arrive inside the command.
 */
export type Decider<Command, State, Event> = {
  readonly initial: State;
  /** @throws DomainError when the state does not allow the command. An empty list means: nothing to do. */
  readonly decide: (command: Command, state: State) => readonly Event[];
  readonly evolve: (state: State, event: Event) => State;
};

export const fold = <State, Event>(
  evolve: (state: State, event: Event) => State,
  state: State,
  events: Iterable<Event>,
): State => {
  let current = state;
  for (const event of events) current = evolve(current, event);
  return current;
};

/**
 * A state machine written down once: from each state, the states it may go to. Terminal states have no entry or an
 * empty one.
 */
export type Transitions<S extends string> = Readonly<Record<S, readonly S[]>>;

export const canMove = <S extends string>(transitions: Transitions<S>, from: S, to: S): boolean =>
  transitions[from].includes(to);
