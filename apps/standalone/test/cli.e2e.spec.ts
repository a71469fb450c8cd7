import { eventually } from '@gridbourse/testing';
import { type Finished, MANIFEST, PlatformProcess } from '@gridbourse/testing/platform';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

// Real here: everything. Each command is a process of its own, as a user types it.

describe('the command line', () => {
  let platform: PlatformProcess;
  const file = (): string => join(platform.dataDir, 'deploy.yaml');
  const run = (...args: string[]): Promise<Finished> => platform.cli(args);
  /** With --json: one JSON value a line, and nothing else. */
  const json = async <T = Record<string, unknown>>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await run('--json', ...args);
    expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    return JSON.parse(stdout) as T;
  };

  beforeAll(async () => {
    platform = await PlatformProcess.prepare();
    await platform.start();
    writeFileSync(file(), MANIFEST);
  }, 180_000);
  afterAll(() => platform.discard(), 60_000);

  it('explains every command and the exit codes', async () => {
    const { code, stdout } = await run('--help');
    expect(code).toBe(0);
    for (const word of [
      'login',
      'quote',
      'order',
      'bid',
      'lease',
      'logs',
      'usage',
      'escrow',
      'provider',
      'demo',
    ])
      expect(stdout).toMatch(new RegExp(`^  ${word}[ |]`, 'm'));
    expect(stdout).toContain('Exit codes:');
  });

  it.each([
    ['a command that is none', ['nonsense'], 2, 'unknown command'],
    ['an order without a file', ['order', 'create'], 2, '--file'],
    ['a file that is not there', ['quote', '-f', '/no/such/file'], 2, 'cannot be read'],
    ['an amount that is none', ['escrow', 'deposit', 'abc'], 2, 'is not an amount'],
    ['a deposit of nothing', ['escrow', 'deposit', '0'], 2, 'more than zero'],
    ['a number that is none', ['logs', 'lea_x', '--tail', 'abc'], 2, 'a whole number'],
    ['an endless wait', ['demo', '--wait-seconds', 'abc'], 2, 'a whole number'],
    ['a state that is none', ['lease', 'ls', '--state', 'nonsense'], 2, '/state'],
    ['an origin that is no URL', ['--origin', 'nonsense', 'lease', 'ls'], 2, 'expected a URL'],
    ['a wrong key', ['--api-key', 'gbk_wrong', 'escrow', 'show'], 3, 'not one of ours'],
    ['no credentials', ['--origin', 'http://127.0.0.1:1', 'escrow', 'show'], 3, 'gridbourse login'],
    ['an order that does not exist', ['order', 'explain', 'ord_0'], 4, 'there is no order'],
    ['a lease that does not exist', ['lease', 'close', 'lea_0'], 4, 'there is no lease'],
    ['weights of a term that is none', ['quote', '-f', '/dev/null', '--weights', 'speed=1'], 2, 'no term'],
    ['a time that is none', ['lease', 'extend', 'lea_0', '10'], 2, 'is not a duration'],
  ])('tells %s by its exit code and a sentence', async (_, args, code, words) => {
    const found = await run(...args);
    expect({ code: found.code, stderr: found.stderr }).toEqual({
      code,
      stderr: expect.stringContaining(words),
    });
    expect(found.stderr).not.toMatch(/^ {4}at /m);
  });

  it('tells a platform that does not answer', async () => {
    const found = await run('--origin', 'http://127.0.0.1:1', 'provider', 'ls');
    expect(found).toMatchObject({ code: 6, stderr: expect.stringContaining('does not answer') });
  }, 60_000);

  it('shows the place of a fault in a manifest', async () => {
    writeFileSync(join(platform.dataDir, 'wrong.yaml'), MANIFEST.replace('amount: 5', 'amount: -5'));
    const found = await run('order', 'create', '-f', join(platform.dataDir, 'wrong.yaml'));
    expect(found.code).toBe(2);
    expect(found.stderr).toMatch(/line 34:\d+ \/profiles\/placement\/any\/pricing\/web\/amount/);
  });

  it('plays the job: login, deposit, quote, order, logs, usage, close', async () => {
    expect(await json('login')).toMatchObject({ accountId: platform.tenant.accountId });
    const deposited = await json<{ transactions: string[] }>('escrow', 'deposit', '20');
    expect(deposited).toMatchObject({ depositedMicros: '20000000' });
    await eventually(
      async () => {
        const escrow = await json<{ free: { usdc: string }; spendingLimit: unknown }>('escrow', 'show');
        expect(escrow).toMatchObject({ free: { usdc: '20.00' }, spendingLimit: { maxLocked: {} } });
      },
      { deadlineMs: 20_000 },
    );
    expect(await json('quote', '-f', file())).toMatchObject({ matched: true });
    expect((await json<{ offers: unknown[] }>('provider', 'ls')).offers.length).toBeGreaterThan(10);

    const create = ['order', 'create', '-f', file(), '--idempotency-key', 'cli-e2e'];
    const { orderId } = await json<{ orderId: string }>(...create);
    expect(await json(...create)).toMatchObject({ orderId });
    const leaseId = await eventually(
      async () => {
        const { leases } = await json<{ leases: { leaseId: string; state: string }[] }>(
          'order',
          'show',
          orderId,
        );
        return leases.find(({ state }) => state === 'active')?.leaseId ?? null;
      },
      { deadlineMs: 30_000 },
    );
    expect(await json('lease', 'show', leaseId)).toMatchObject({
      leaseId,
      workload: { observed: 'running' },
    });
    expect(await json('logs', leaseId)).toMatchObject({ leaseId, lines: expect.any(Array) });
    await eventually(
      async () =>
        expect((await json<{ items: unknown[] }>('usage', leaseId)).items.length).toBeGreaterThan(0),
      { deadlineMs: 30_000 },
    );
    expect(await json('order', 'explain', orderId)).toMatchObject({ summary: expect.any(String) });
    expect((await json<{ items: unknown[] }>('order', 'ls')).items).toHaveLength(1);
    expect(await json('lease', 'close', leaseId)).toMatchObject({ leaseId });
    await eventually(
      async () =>
        expect((await json<{ items: unknown[] }>('lease', 'ls', '--state', 'closed')).items).toMatchObject([
          { leaseId, closeReason: 'tenant' },
        ]),
      { deadlineMs: 30_000 },
    );
    expect(await run('order', 'cancel', orderId)).toMatchObject({ code: 5 });
  }, 180_000);

  it('weighs offers as the tenant says, and tells what came second', async () => {
    const either = join(platform.dataDir, 'either.yaml');
    const model = '- model: rtx4090';
    writeFileSync(either, MANIFEST.replace(model, `${model}\n                - model: rtx3080`));
    type Rate = { rate: { micros: string } };
    type Quote = { leases: { candidates: Rate[] }[] };
    const costOnly = await json<Quote>('quote', '-f', either, '--weights', 'cost=1');
    const [cheapest] = costOnly.leases[0]!.candidates as [Rate];
    const weighed = ['--weights', 'performance=0.9,cost=0.1', '--class', 'language'];
    const placed = await json<{ orderId: string; leases: Rate[] }>(
      'order',
      'create',
      '-f',
      either,
      ...weighed,
    );
    expect(placed).toMatchObject({
      weights: { performance: 0.9, cost: 0.1, fit: 0 },
      workloadClass: 'language',
    });
    // The faster model is the dearer one.
    expect(BigInt(placed.leases[0]!.rate.micros)).toBeGreaterThan(BigInt(cheapest.rate.micros));
    const explained = await run('order', 'explain', placed.orderId);
    expect(explained).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/any +taken .*\n.*any +second /),
    });
    expect((await run('order', 'cancel', placed.orderId)).code).toBe(0);
  }, 120_000);

  it('watches an order to its end, and says by the exit code that it never ran', async () => {
    const wrong = join(platform.dataDir, 'no-image.yaml');
    writeFileSync(wrong, MANIFEST.replace('nginx:1.29', 'registry.example/does-not-exist:1'));
    const watched = await run('order', 'create', '-f', wrong, '--watch');
    expect(watched).toMatchObject({ code: 5, stdout: expect.stringContaining('start_failed') });

    const none = join(platform.dataDir, 'none.yaml');
    writeFileSync(none, MANIFEST.replace('amount: 5', 'amount: 0.01'));
    expect(await run('quote', '-f', none)).toMatchObject({
      code: 5,
      stdout: expect.stringContaining('Would match:'),
    });
  }, 120_000);
});
