import { afterAll, afterEach, beforeAll, describe, jest } from '@jest/globals';
import type { DeadLetter, EventBus, RetryBudget } from '../../src/index.ts';

export type ConnectOptions = {
  readonly retry?: RetryBudget;
  readonly maxUnsettled?: number;
  readonly concurrency?: number;
};

/** What an adapter brings so that the contract can be run against it. */
export type BusUnderTest = {
  /** A new member of the same bus: as another process would have it. */
  connect(options: ConnectOptions & { readonly retry: RetryBudget }): EventBus;
  /** Cuts the members of a group off from the server, as if their processes were killed: nothing is handed over. */
  kill(group: string): Promise<void>;
  /** Lets a group that has no members now begin again with the first record. */
  rewind(group: string): Promise<void>;
  /** Topics that the bus has, without those of dead letters. */
  topics(): Promise<string[]>;
  readonly deadLetters: {
    list(filter: { group: string; topic?: string; settled?: boolean }): Promise<DeadLetter[]>;
    get(id: string): Promise<DeadLetter>;
    replay(which: { group: string; topic: string; key: string }): Promise<void>;
    skip(id: string, reason: string): Promise<void>;
  };
  close(): Promise<void>;
};

/** What the tests of the contract are given. */
export type Suite = {
  /** A member that is closed after the test. */
  connect(options?: ConnectOptions): Promise<EventBus>;
  newTopic(): string;
  under(): BusUnderTest;
};

export const quick: RetryBudget = { attempts: 3, firstDelayMs: 5, factor: 2, maxDelayMs: 20 };
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

/** Sets an adapter up for tests and takes it down again. */
export const withBus = (
  name: string,
  makeBus: () => Promise<BusUnderTest>,
  ...parts: ((suite: Suite) => void)[]
): void => {
  // A broker starts in seconds, and a member counts as dead after its session.
  jest.setTimeout(90_000);
  describe(name, () => {
    let made: BusUnderTest | null = null;
    let open: EventBus[] = [];
    let topics = 0;
    const run = Date.now().toString(36);
    const under = (): BusUnderTest => {
      if (!made) throw new Error('the bus is not there');
      return made;
    };
    beforeAll(async () => {
      made = await makeBus();
    });
    afterEach(async () => {
      await Promise.all(open.map((bus) => bus.close()));
      open = [];
    });
    afterAll(() => made?.close());
    const connect = async (options: ConnectOptions = {}): Promise<EventBus> => {
      const bus = under().connect({ retry: quick, ...options });
      open.push(bus);
      await bus.start();
      return bus;
    };
    for (const part of parts) {
      part({ connect, under, newTopic: () => `gridbourse.test.${run}-${(topics += 1)}` });
    }
  });
};
