import type { ServiceName } from '@gridbourse/api';
import {
  devKey,
  EmbeddedPostgres,
  freePort,
  isAlive,
  LocalChain,
  openDataDir,
  silentLog,
} from '@gridbourse/infra';
import {
  databaseOf,
  ensureContracts,
  ensureSealingKey,
  localServiceSettings,
  SERVICE_NAMES,
} from '@gridbourse/local-platform';
import { GridbourseClient } from '@gridbourse/sdk';
import { eventually } from '@gridbourse/testing';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Wallet } from 'ethers';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Real here: every service in a process of its own, started by its own main.js, on a real Postgres and a real chain.

const BUS = 'gridbourse_bus';

describe('each service, started alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gridbourse-alone-'));
  const processes = new Map<ServiceName, ChildProcess>();
  const ports = new Map<ServiceName, number>();
  let postgres: EmbeddedPostgres;
  let chain: LocalChain;
  const said = new Map<ServiceName, string>();
  const originOf = (service: ServiceName): string => `http://127.0.0.1:${ports.get(service)}`;

  beforeAll(async () => {
    chmodSync(folder, 0o755);
    const dir = openDataDir(folder, 'jest');
    postgres = await EmbeddedPostgres.start(dir);
    await postgres.createDatabases([...SERVICE_NAMES.map(databaseOf), BUS]);
    chain = await LocalChain.start(dir, silentLog, await freePort());
    for (const service of SERVICE_NAMES) ports.set(service, await freePort());
    const each = localServiceSettings({
      publicOrigin: originOf('registry'),
      rpcUrl: chain.url,
      deployment: await ensureContracts(dir, chain),
      sealingKey: await ensureSealingKey(dir),
    });
    for (const service of SERVICE_NAMES) {
      const config = join(folder, `${service}.config.json`);
      const database = {
        databaseUrl: postgres.url(databaseOf(service)),
        bus: { adapter: 'embedded', url: postgres.url(BUS) },
      };
      writeFileSync(config, JSON.stringify({ ...each[service], ...database, httpPort: ports.get(service) }));
      const variable = `GRIDBOURSE_${service.replace(/-/g, '_').toUpperCase()}_CONFIG`;
      const main = fileURLToPath(new URL(`../../../services/${service}/dist/main.js`, import.meta.url));
      const child = spawn(process.execPath, [main], {
        env: { ...process.env, NODE_OPTIONS: '', [variable]: config },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk: Buffer) =>
          said.set(service, (said.get(service) ?? '') + chunk.toString('utf8')),
        );
      }
      processes.set(service, child);
    }
  }, 180_000);
  afterAll(async () => {
    for (const child of processes.values()) child.kill('SIGKILL');
    await chain.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  it.each(SERVICE_NAMES)(
    '%s comes up by itself: alive, ready, with metrics',
    async (service) => {
      const child = processes.get(service)!;
      // One that ends is not waited for.
      await eventually(
        async () => child.exitCode !== null || (await fetch(`${originOf(service)}/health/ready`)).ok,
        { deadlineMs: 120_000, everyMs: 100 },
      );
      expect({ said: said.get(service), exit: child.exitCode }).toMatchObject({ exit: null });
      expect((await fetch(`${originOf(service)}/health/live`)).status).toBe(200);
      expect(await (await fetch(`${originOf(service)}/metrics`)).text()).toContain('# TYPE');
    },
    150_000,
  );

  it('they know each other by events: who signs in at one is known at the others', async () => {
    const wallet = new Wallet(devKey(9).privateKey);
    const client = new GridbourseClient({ origin: originOf('registry'), auth: { none: true } });
    const { accessToken } = await client.signIn({
      address: wallet.address,
      signMessage: (message) => wallet.signMessage(message),
    });
    for (const [service, path] of [
      ['matchmaker', '/v1/orders'],
      ['billing', '/v1/escrow'],
    ] as const) {
      await eventually(
        async () => {
          const headers = { authorization: `Bearer ${accessToken}` };
          expect((await fetch(`${originOf(service)}${path}`, { headers })).status).toBe(200);
        },
        { deadlineMs: 20_000 },
      );
    }
  }, 60_000);

  it.each(SERVICE_NAMES)(
    '%s writes structured logs, and ends in order when asked',
    async (service) => {
      const child = processes.get(service)!;
      const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      expect({ code: await exited, said: said.get(service) }).toMatchObject({ code: 0 });
      expect(isAlive(child.pid!)).toBe(false);
      const lines = said.get(service)!.trim().split('\n');
      for (const line of lines)
        expect(JSON.parse(line)).toMatchObject({ service, level: expect.any(String) });
      expect(lines.join('\n')).toContain('service started');
    },
    30_000,
  );
});
