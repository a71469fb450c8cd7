import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Watch } from '@kubernetes/client-node';
import type { KubeSim } from '../src/index.ts';
import { type Clients, deployment, failureOf, gpuNode, mergePatch, startCluster, until } from './cluster.ts';

// Real: @kubernetes/client-node 2.0.1 over HTTP on 127.0.0.1. The faults are asked for.

describe('faults on demand', () => {
  let cluster: { sim: KubeSim } & Clients;
  beforeAll(async () => {
    cluster = await startCluster({
      nodes: [gpuNode('node-a'), gpuNode('node-b'), gpuNode('node-c')],
      bookmarkIntervalMs: 50,
    });
  });
  afterAll(() => cluster.sim.close());
  afterEach(async () => {
    cluster.sim.faults.clear();
    await cluster.sim.faults.bringUp();
  });

  const list = () => cluster.core.listNode();

  it('answers with errors as often as asked', async () => {
    cluster.sim.faults.add({
      effect: { kind: 'error', status: 429, retryAfterSeconds: 7 },
      path: '/nodes$',
      times: 2,
    });
    const answer = await fetch(`${cluster.sim.url}/api/v1/nodes`, {
      headers: { authorization: `Bearer ${cluster.sim.token}` },
    });
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '7']);
    expect(await failureOf(list())).toMatchObject({ code: 429, reason: 'TooManyRequests' });
    expect((await list()).items).toHaveLength(3);
  });

  it('refuses writes with conflicts, shortens lists, and cuts connections before or after the effect', async () => {
    const { core, sim } = cluster;
    const name = 'cm';
    await core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name } } });
    sim.faults.add({ effect: { kind: 'conflict' }, times: 1 });
    expect(
      (
        await failureOf(
          core.patchNamespacedConfigMap(
            { namespace: 'default', name, body: { data: { a: '1' } } },
            mergePatch,
          ),
        )
      ).code,
    ).toBe(409);
    sim.faults.add({ effect: { kind: 'partial-list', keep: 0.4 }, path: '/nodes', times: 1 });
    expect((await list()).items).toHaveLength(1);
    sim.faults.add({ effect: { kind: 'reset', when: 'after' }, methods: ['POST'], times: 1 });
    await expect(
      core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'lost-answer' } } }),
    ).rejects.toThrow();
    expect(
      (await core.readNamespacedConfigMap({ namespace: 'default', name: 'lost-answer' })).metadata!.name,
    ).toBe('lost-answer');
    sim.faults.add({ effect: { kind: 'reset', when: 'before' }, methods: ['POST'], times: 1 });
    await expect(
      core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'never' } } }),
    ).rejects.toThrow();
    expect(
      (await failureOf(core.readNamespacedConfigMap({ namespace: 'default', name: 'never' }))).code,
    ).toBe(404);
  });

  it('refuses connections while it is down, on the same port again afterwards', async () => {
    const { url } = cluster.sim;
    await cluster.sim.faults.takeDown('refuse');
    await expect(list()).rejects.toThrow('fetch failed');
    await cluster.sim.faults.bringUp();
    expect(cluster.sim.url).toBe(url);
    expect((await list()).items).toHaveLength(3);
  });

  it('hangs when told to, and comes back when told over HTTP', async () => {
    const admin = (path: string, body: object) =>
      fetch(`${cluster.sim.url}/sim/${path}`, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { authorization: `Bearer ${cluster.sim.token}` },
      });
    expect((await fetch(`${cluster.sim.url}/sim/faults`)).status).toBe(401);
    expect((await admin('down', { outage: 'hang' })).status).toBe(200);
    await until('down', () => cluster.sim.faults.down === 'hang');
    const asked = list().then(
      () => 'answered',
      () => 'cut',
    );
    await admin('up', {});
    expect(await asked).toBe('cut');
    expect((await list()).items).toHaveLength(3);
    expect((await admin('down', { outage: 'refuse' })).status).toBe(400);
  });

  it('silences and cuts watches', async () => {
    let seen = 0;
    let ended = false;
    await new Watch(cluster.kubeConfig).watch(
      '/api/v1/nodes',
      { allowWatchBookmarks: true },
      () => (seen += 1),
      () => (ended = true),
    );
    await until('bookmarks', () => seen > 4);
    expect(cluster.sim.faults.silenceWatches()).toBe(1);
    const atSilence = seen;
    await cluster.core.patchNode(
      { name: 'node-a', body: { metadata: { labels: { touched: 'yes' } } } },
      mergePatch,
    );
    expect((await list()).items).toHaveLength(3);
    expect([seen, ended]).toEqual([atSilence, false]);
    cluster.sim.faults.cutWatches();
    await until('the end', () => ended);
  });

  it('loses a node: it becomes unknown, its pods unready, and nothing there ends before it is back', async () => {
    const { core, apps, sim } = cluster;
    await core.createNamespace({ body: { metadata: { name: 'loss' } } });
    await apps.createNamespacedDeployment({
      namespace: 'loss',
      body: deployment('web', 'loss', { gpus: 1 }),
    });
    const pod = await until('running', async () => {
      const [found] = (await core.listNamespacedPod({ namespace: 'loss' })).items;
      return found?.status?.phase === 'Running' && found;
    });
    const name = pod.spec!.nodeName!;
    sim.faults.loseNode(name);
    await until(
      'unknown',
      async () =>
        (await core.readNode({ name })).status!.conditions!.find(({ type }) => type === 'Ready')!.status ===
        'Unknown',
    );
    expect(
      (await core.readNode({ name })).spec!.taints!.map(({ key, effect }) => `${key}:${effect}`),
    ).toEqual(['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute']);
    const unready = await core.readNamespacedPod({ name: pod.metadata!.name!, namespace: 'loss' });
    expect(unready.status!.conditions!.find(({ type }) => type === 'Ready')!.status).toBe('False');
    await core.deleteNamespace({ name: 'loss' });
    await until(
      'the pod is marked',
      async () =>
        (await core.readNamespacedPod({ name: pod.metadata!.name!, namespace: 'loss' })).metadata!
          .deletionTimestamp,
    );
    expect((await core.readNamespace({ name: 'loss' })).status!.phase).toBe('Terminating');
    sim.faults.restoreNode(name);
    await until(
      'the namespace is gone',
      async () => (await failureOf(core.readNamespace({ name: 'loss' })).catch(() => null))?.code === 404,
    );
    await until('no taints', async () => (await core.readNode({ name })).spec!.taints === undefined);
  });

  it('shrinks the usable GPUs of a node', async () => {
    cluster.sim.faults.limitGpus('node-a', 3);
    const node = await cluster.core.readNode({ name: 'node-a' });
    expect([node.status!.capacity!['nvidia.com/gpu'], node.status!.allocatable!['nvidia.com/gpu']]).toEqual([
      '8',
      '3',
    ]);
    cluster.sim.faults.limitGpus('node-a', null);
  });
});
