import { createServer, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DataDir, isAlive, openDataDir, silentLog } from '@gridbourse/infra';
import {
  adoptMarketProcess,
  ensureMarket,
  type LocalMarket,
  type MarketOptions,
} from '@gridbourse/local-platform';
import { eventually } from '@gridbourse/testing';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { localMarketProgram } from './program.ts';

// Real: the market process and its clusters. There is no platform and no chain: agents wait for them.

const ADDRESS = `0x${'1'.repeat(40)}`;

describe('the market process', () => {
  let folder: string;
  let dir: DataDir;
  let platform: Server;
  let options: MarketOptions;
  let market: LocalMarket;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'market-'));
    dir = openDataDir(folder, 'market-test');
    platform = createServer((_, response) => response.writeHead(503).end('{}'));
    await new Promise<void>((resolve) => platform.listen(0, '127.0.0.1', resolve));
    options = {
      dir,
      program: localMarketProgram,
      logger: silentLog,
      platformOrigin: `http://127.0.0.1:${(platform.address() as AddressInfo).port}`,
      grpcTarget: '127.0.0.1:1',
      rpcUrl: 'http://127.0.0.1:1',
      deployment: {
        chainId: 31_337,
        deployBlock: 1,
        contracts: { ComputeMarket: ADDRESS, ProviderRegistry: ADDRESS, TestUSDC: ADDRESS },
      },
      providers: ['seine', 'great-lakes'],
    };
    market = await ensureMarket(options);
  }, 60_000);
  afterAll(async () => {
    await market.stop();
    platform.close();
    dir.release();
    rmSync(folder, { recursive: true, force: true });
  });

  const control = (method: string, path: string, token?: string): Promise<Response> => {
    const file = JSON.parse(readFileSync(join(folder, 'market.json'), 'utf8')) as { token: string };
    return fetch(`${market.controlUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${token ?? file.token}` },
    });
  };
  const clusterOf = async (key: string): Promise<CoreV1Api> => {
    const { clusterUrl } = (await market.providers()).find((each) => each.key === key)!;
    const [header] = readFileSync(join(folder, 'market', key, 'cluster.jsonl'), 'utf8').split('\n', 1);
    const { token } = JSON.parse(header!) as { token: string };
    const config = new KubeConfig();
    config.loadFromOptions({
      clusters: [{ name: 'c', server: clusterUrl, skipTLSVerify: true }],
      users: [{ name: 'u', token }],
      contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
      currentContext: 'x',
    });
    return config.makeApiClient(CoreV1Api);
  };

  it('runs a cluster for each provider, and waits for platform and chain', async () => {
    const providers = await market.providers();
    expect(providers.map(({ key, up, connected }) => [key, up, connected])).toEqual([
      ['seine', true, false],
      ['great-lakes', true, false],
    ]);
    await eventually(async () => (await market.providers()).every(({ trouble }) => trouble !== null));
    const nodes = (await (await clusterOf('seine')).listNode()).items;
    expect(nodes.map(({ metadata }) => metadata!.name)).toEqual([
      'seine-cpu-1',
      'seine-cpu-2',
      'seine-h200-1',
      'seine-h200-2',
      'seine-h200-3',
      'seine-h200-4',
    ]);
    expect(nodes[5]!.metadata!.labels!['nvidia.com/gpu.product']).toBe('NVIDIA-H200');
    expect(await market.untilOnline(0)).toEqual({ online: 0, total: 0 });
  });

  it('is switched by whoever has the token', async () => {
    expect((await control('GET', '/providers', 'wrong')).status).toBe(401);
    expect((await control('POST', '/providers/nobody/kill')).status).toBe(404);
    const core = await clusterOf('great-lakes');
    await core.createNamespace({ body: { metadata: { name: 'kept' } } });
    expect(
      await (await control('POST', `/providers/${encodeURIComponent('Great Lakes Compute')}/kill`)).json(),
    ).toMatchObject({ key: 'great-lakes', up: false });
    await expect(core.listNode()).rejects.toThrow();
    expect((await control('POST', '/providers/great-lakes/kill')).status).toBe(200);
    expect(await (await control('POST', '/providers/great-lakes/revive')).json()).toMatchObject({ up: true });
    expect((await core.readNamespace({ name: 'kept' })).status!.phase).toBe('Active');
  });

  it('is adopted by the next start, and replaced when its settings are others', async () => {
    const again = await ensureMarket(options);
    expect(again.pid).toBe(market.pid);
    expect(await adoptMarketProcess({ ...options, grpcTarget: '127.0.0.1:2' })).toBeNull();
    const before = market.pid;
    const core = await clusterOf('great-lakes');
    market = await ensureMarket({ ...options, grpcTarget: '127.0.0.1:2' });
    options = { ...options, grpcTarget: '127.0.0.1:2' };
    expect(market.pid).not.toBe(before);
    await eventually(() => !isAlive(before));
    // Same port, same token, same objects: whoever knew the cluster still does.
    expect((await core.readNamespace({ name: 'kept' })).metadata!.name).toBe('kept');
  }, 60_000);

  it('is started again after a kill, with all that its clusters had', async () => {
    const core = await clusterOf('great-lakes');
    await core.createNamespace({ body: { metadata: { name: 'before-the-kill' } } });
    process.kill(market.pid, 'SIGKILL');
    await eventually(() => !market.alive);
    await market.ensureRunning();
    expect((await core.readNamespace({ name: 'before-the-kill' })).status!.phase).toBe('Active');
  }, 60_000);

  it('ends in order when asked to', async () => {
    const { pid } = market;
    await market.stop();
    await eventually(() => !isAlive(pid));
    market = await ensureMarket(options);
    expect((await (await clusterOf('great-lakes')).readNamespace({ name: 'kept' })).metadata!.name).toBe(
      'kept',
    );
  }, 60_000);
});
