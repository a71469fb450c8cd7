import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, isFree } from './ports.ts';

const EPHEMERAL = '/proc/sys/net/ipv4/ip_local_port_range';
const CHOICES = 400;

/** What a process of its own chooses, one after the other. */
const chosenElsewhere = async (): Promise<number[]> => {
  const script = `
    import { freePort } from ${JSON.stringify(join(import.meta.dirname, 'ports.ts'))};
    const ports = [];
    for (let i = 0; i < ${CHOICES}; i++) ports.push(await freePort());
    console.log(JSON.stringify(ports));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return JSON.parse(stdout) as number[];
};

describe('a free port', () => {
  it('is free until somebody listens', async () => {
    const port = await freePort();
    expect(await isFree(port)).toBe(true);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    expect(await isFree(port)).toBe(false);
    await new Promise((resolve) => server.close(resolve));
  });

  it('is no port that an outgoing connection may take before it is used', async () => {
    const firstEphemeral = existsSync(EPHEMERAL)
      ? Number(readFileSync(EPHEMERAL, 'utf8').split(/\s/)[0])
      : 32_768;
    for (let i = 0; i < 50; i++) {
      const port = await freePort();
      expect(port).toBeGreaterThanOrEqual(10_000);
      expect(port).toBeLessThan(firstEphemeral);
    }
  });

  it('is given to one caller only, among all processes of the machine', async () => {
    const all = (await Promise.all([chosenElsewhere(), chosenElsewhere(), chosenElsewhere()])).flat();
    expect(all).toHaveLength(3 * CHOICES);
    expect(new Set(all).size).toBe(all.length);
  });
});
