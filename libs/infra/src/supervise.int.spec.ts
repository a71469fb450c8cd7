// Real: the clock by which it looks.
import { describe, expect, it } from '@jest/globals';
import { silentLog } from './log.ts';
import { until } from './processes.ts';
import { type Supervised, superviseProcesses } from './supervise.ts';

const fallible = (name: string, restart: () => Promise<unknown>) => {
  const one = { name, up: true, restarts: 0 };
  const supervised: Supervised = {
    name,
    alive: () => one.up,
    restart: async () => {
      one.restarts += 1;
      await restart();
      one.up = true;
    },
  };
  return { one, supervised };
};

describe('the supervision', () => {
  it('starts again what died, though something else that died waits for just that', async () => {
    const broker = fallible('broker', () => Promise.resolve());
    const service = fallible('service', async () => {
      if (!(await until(() => broker.one.up, 10_000))) throw new Error('no broker');
    });
    const supervision = superviseProcesses([service.supervised, broker.supervised], silentLog);
    service.one.up = broker.one.up = false;
    expect(await until(() => service.one.up && broker.one.up, 10_000)).toBe(true);
    await supervision.stop();
    expect([service.one.restarts, broker.one.restarts]).toEqual([1, 1]);
  });

  it('tries again after a failed start, and not while one is under way', async () => {
    let tries = 0;
    const one = fallible('one', () =>
      (tries += 1) < 2 ? Promise.reject(new Error('no')) : Promise.resolve(),
    );
    const supervision = superviseProcesses([one.supervised], silentLog);
    one.one.up = false;
    expect(await until(() => one.one.up, 10_000)).toBe(true);
    await supervision.stop();
    expect(tries).toBe(2);
  });

  it('looks after what is added later, and after nothing once it has stopped', async () => {
    const list: Supervised[] = [];
    const supervision = superviseProcesses(list, silentLog);
    const late = fallible('late', () => Promise.resolve());
    late.one.up = false;
    list.push(late.supervised);
    expect(await until(() => late.one.up, 10_000)).toBe(true);
    await supervision.stop();
    late.one.up = false;
    expect(await until(() => late.one.up, 1_200)).toBe(false);
  });
});
