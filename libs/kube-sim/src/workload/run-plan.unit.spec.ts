import { describe, expect, it } from '@jest/globals';
import type { Pod } from '../objects.ts';
import { parseDurationMs, planOf } from './run-plan.ts';

const pod = (annotations: Record<string, string> = {}): Pod =>
  ({ metadata: { name: 'p', annotations }, spec: { containers: [] } }) as unknown as Pod;
const plan = (command: string[] | undefined, args?: string[], env: [string, string][] = []) => {
  const container = { name: 'c', image: 'x', ...(command ? { command } : {}), ...(args ? { args } : {}) };
  const { endsAfterMs, exitCode, output } = planOf(pod(), container, new Map(env));
  return [endsAfterMs, exitCode, output.map(({ atMs, text }) => `${atMs} ${text}`)];
};

describe('what a command does', () => {
  it.each([
    [['sleep', '5'], 5_000, 0],
    [['/bin/sleep', '1.5m'], 90_000, 0],
    [['sleep', 'infinity'], null, 0],
    [['sh', '-c', 'sleep 3; exit 4'], 3_000, 4],
    [['/bin/bash', '-lc', 'sleep 1 && sleep 2'], 3_000, 0],
    [['sh', '-c', 'false || exit 7'], 0, 7],
    [['sh', '-c', 'false && exit 7'], 0, 1],
    [['sh', '-c', 'exec sleep 2s'], 2_000, 0],
    [['sh', '-c', 'set -e\nsleep 1\nexit 300'], 1_000, 44],
    [['true'], 0, 0],
    [['false'], 0, 1],
    [['exit', '2'], 0, 2],
    [['sh', '-c', 'while true; do sleep 1; done'], null, 0],
    [['sh', '-c', 'nginx -g "daemon off;"'], null, 0],
    [['sh', '-c', 'sleep 5 & wait'], null, 0],
    [['sh', '-c', 'cat /etc/hosts | grep x'], null, 0],
    [['python', 'train.py'], null, 0],
  ])('%j', (command, endsAfterMs, exitCode) => {
    expect(plan(command).slice(0, 2)).toEqual([endsAfterMs, exitCode]);
  });

  it('runs on when the image decides', () => {
    expect(plan(undefined)).toEqual([null, 0, []]);
  });

  it('joins command and args, prints what is echoed when it is, and knows variables', () => {
    expect(plan(['sh', '-c'], ['echo "a; b"; sleep 2; echo $NAME ${OTHER}!'], [['NAME', 'x']])).toEqual([
      2_000,
      0,
      ['0 a; b', '2000 x !'],
    ]);
    expect(plan(['sh', '-c', 'sleep $N'], undefined, [['N', '4']])[0]).toBe(4_000);
  });

  it('obeys annotations before the command', () => {
    const container = { name: 'c', image: 'x', command: ['sleep', '600'] };
    expect(planOf(pod({ 'sim/run-for': '2s', 'sim/exit-code': '9' }), container)).toMatchObject({
      endsAfterMs: 2_000,
      exitCode: 9,
    });
    expect(planOf(pod({ 'sim/exit-code': '1' }), container)).toMatchObject({
      endsAfterMs: 600_000,
      exitCode: 1,
    });
  });

  it('reads durations', () => {
    expect(['5', '5s', '250ms', '2m', '1h', '1d'].map(parseDurationMs)).toEqual([
      5_000, 5_000, 250, 120_000, 3_600_000, 86_400_000,
    ]);
    expect(parseDurationMs('5 s')).toBeNaN();
  });
});
