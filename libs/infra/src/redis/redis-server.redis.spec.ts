import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { until } from '../processes.ts';
import { RedisServer } from './redis-server.ts';

// Real here: redis-server, its files and its end.

const native = RedisServer.isInstalled() ? describe : describe.skip;
native('a Redis of our own', () => {
  const ask = async (url: string, ...command: string[]): Promise<unknown> => {
    const client = await createClient({ url })
      .on('error', () => undefined)
      .connect();
    try {
      return await client.sendCommand(command);
    } finally {
      await client.close();
    }
  };

  it('is adopted by the next start, comes back after a kill, and keeps what it was told', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'gridbourse-redis-test-'));
    const first = await RedisServer.start({ dir, persistent: true });
    try {
      await ask(first.url, 'SET', 'k', 'v');
      const second = await RedisServer.start({ dir, persistent: true });
      expect([second.pid, second.url]).toEqual([first.pid, first.url]);
      // The append-only file is synced once a second; a process that dies leaves it to the kernel, and it is whole.
      second.signal('SIGKILL');
      expect(await until(() => !second.alive, 10_000)).toBe(true);
      expect(await second.ensureRunning()).toBe(true);
      expect(await second.ensureRunning()).toBe(false);
      expect(second.url).toBe(first.url);
      expect(await ask(second.url, 'GET', 'k')).toBe('v');
      await second.stop();
      expect(second.alive).toBe(false);
      await second.stop();
    } finally {
      await first.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }, 60_000);

  it('wants its password, which only its owner can read', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'gridbourse-redis-test-'));
    const server = await RedisServer.start({ dir });
    try {
      const stranger = connect(server.port, '127.0.0.1').setEncoding('utf8');
      stranger.write('PING\r\n');
      expect(await once(stranger, 'data')).toEqual([expect.stringMatching(/^-NOAUTH/)]);
      stranger.destroy();
      for (const file of ['redis.conf', 'state.json']) expect(statSync(join(dir, file)).mode & 0o077).toBe(0);
    } finally {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }, 60_000);

  it('takes another port when its own is taken by a stranger', async () => {
    const stranger = await RedisServer.start();
    const server = await RedisServer.start({ port: stranger.port });
    try {
      expect(server.port).not.toBe(stranger.port);
      expect(await ask(server.url, 'PING')).toBe('PONG');
    } finally {
      await Promise.all([server.stop(), stranger.stop()]);
    }
  }, 60_000);
});
