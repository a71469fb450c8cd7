import { describe, expect, it } from '@jest/globals';
import { type Decider, conflict } from '@gridbourse/kernel';
import { given } from './decider.ts';

type Event = { type: 'Opened' } | { type: 'Closed'; at: number };
type Command = { type: 'Open' } | { type: 'Close'; at: number };

const door: Decider<Command, 'open' | 'closed', Event> = {
  initial: 'closed',
  decide: (command, state) => {
    if (command.type === 'Open') return state === 'open' ? [] : [{ type: 'Opened' }];
    if (state === 'closed') throw conflict('already_closed', 'the door is closed');
    return [{ type: 'Closed', at: command.at }];
  },
  evolve: (_, event) => (event.type === 'Opened' ? 'open' : 'closed'),
};

describe('given, when, then', () => {
  it('passes where the decider does as said', () => {
    given(door)
      .when({ type: 'Open' })
      .then([{ type: 'Opened' }]);
    given(door, [{ type: 'Opened' }])
      .when({ type: 'Open' })
      .thenNothing();
    given(door).when({ type: 'Close', at: 1 }).thenRejected('already_closed');
    given(door, [{ type: 'Opened' }])
      .when({ type: 'Close', at: 1 })
      .thenState((state) => expect(state).toBe('closed'));
  });

  it('fails where it does not', () => {
    const closing = given(door, [{ type: 'Opened' }]).when({ type: 'Close', at: 1 });
    expect(() => closing.then([{ type: 'Closed', at: 2 }])).toThrow();
    expect(() => closing.thenNothing()).toThrow();
    expect(() => closing.thenRejected('already_closed')).toThrow('but it was taken');
    expect(() => given(door).when({ type: 'Close', at: 1 }).thenRejected('other')).toThrow();
  });
});
