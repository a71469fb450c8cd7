import { KubernetesObjectApi, PatchStrategy, VersionApi, Watch } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { apply, type Clients, deployment, failureOf, mergePatch, startCluster, until } from './cluster.ts';
import type { KubeSim } from '../src/index.ts';

// Real: @kubernetes/client-node 2.0.1 over HTTP on 127.0.0.1. The cluster is kube-sim.

type Seen = [
  type: string,
  name: string | undefined,
  object: { code?: number; metadata?: { resourceVersion?: string; annotations?: Record<string, string> } },
];

describe('the API, as client-node sees it', () => {
  let cluster: { sim: KubeSim } & Clients;

  beforeAll(async () => {
    cluster = await startCluster({ bookmarkIntervalMs: 100 });
    for (const name of ['ssa', 'crud', 'w', 'pages'])
      await cluster.core.createNamespace({ body: { metadata: { name } } });
  });
  afterAll(() => cluster.sim.close());

  const watch = async (
    path: string,
    query: Record<string, string | number | boolean>,
    enough: (seen: Seen[]) => boolean,
  ): Promise<Seen[]> => {
    const seen: Seen[] = [];
    let ended: unknown;
    const controller = await new Watch(cluster.kubeConfig).watch(
      path,
      query,
      (type, object) => seen.push([type, object.metadata?.name, object]),
      (error) => {
        ended = error ?? 'closed';
      },
    );
    await until('the watch to show enough', () => enough(seen) || ended !== undefined);
    controller.abort();
    return seen;
  };

  it('answers discovery and version', async () => {
    const version = await cluster.kubeConfig.makeApiClient(VersionApi).getCode();
    expect(version.minor).toBe('36');
    const groups = await cluster.apps.getAPIResources();
    expect(groups.resources.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['deployments', 'deployments/status', 'deployments/scale']),
    );
  });

  it('refuses who has no token', async () => {
    const answer = await fetch(`${cluster.sim.url}/api/v1/pods`);
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ kind: 'Status', reason: 'Unauthorized', code: 401 });
  });

  it('creates, reads, replaces under optimistic concurrency, patches and deletes', async () => {
    const { core } = cluster;
    const made = await core.createNamespacedConfigMap({
      namespace: 'crud',
      body: { metadata: { generateName: 'cm-' }, data: { a: '1' } },
    });
    const name = made.metadata!.name!;
    expect(name).toMatch(/^cm-.{5}$/);
    expect(made.metadata!.uid).toMatch(/^[0-9a-f-]{36}$/);
    const replaced = await core.replaceNamespacedConfigMap({
      namespace: 'crud',
      name,
      body: { ...made, data: { a: '2' } },
    });
    const late = await failureOf(
      core.replaceNamespacedConfigMap({ namespace: 'crud', name, body: { ...made, data: { a: '3' } } }),
    );
    expect(late).toMatchObject({ code: 409, reason: 'Conflict' });
    const same = await core.replaceNamespacedConfigMap({ namespace: 'crud', name, body: replaced });
    expect(same.metadata!.resourceVersion).toBe(replaced.metadata!.resourceVersion);
    const merged = await core.patchNamespacedConfigMap(
      { namespace: 'crud', name, body: { data: { a: null, b: '1' } } },
      mergePatch,
    );
    expect(merged.data).toEqual({ b: '1' });
    const json = await core.patchNamespacedConfigMap({
      namespace: 'crud',
      name,
      body: [{ op: 'add', path: '/data/c', value: 'x' }],
    });
    expect(json.data).toEqual({ b: '1', c: 'x' });
    const wrong = await failureOf(
      core.deleteNamespacedConfigMap({ namespace: 'crud', name, body: { preconditions: { uid: 'other' } } }),
    );
    expect(wrong.code).toBe(409);
    expect((await core.deleteNamespacedConfigMap({ namespace: 'crud', name })).status).toBe('Success');
    expect(await failureOf(core.readNamespacedConfigMap({ namespace: 'crud', name }))).toMatchObject({
      code: 404,
      message: `configmaps "${name}" not found`,
    });
    const nowhere = await failureOf(
      core.createNamespacedConfigMap({ namespace: 'absent', body: { metadata: { name: 'x' } } }),
    );
    expect(nowhere).toMatchObject({ code: 404, message: 'namespaces "absent" not found' });
  });

  it('names every fault of an invalid object', async () => {
    const body = deployment('Bad_Name', 'crud');
    body.spec.selector.matchLabels.app = 'other';
    body.spec.template.spec.containers[0]!.image = '';
    const failure = await failureOf(cluster.apps.createNamespacedDeployment({ namespace: 'crud', body }));
    expect(failure).toMatchObject({ code: 422, reason: 'Invalid' });
    expect(failure.details!.causes!.map(({ field }) => field)).toEqual([
      'metadata.name',
      'spec.template.metadata.labels',
      'spec.template.spec.containers[0].image',
    ]);
  });

  it('server-side apply: creates, is a no-op when repeated, conflicts, forces, drops what is no longer wished', async () => {
    const { apps } = cluster;
    const send = (fieldManager: string, body: object, force?: boolean) =>
      apps.patchNamespacedDeployment(
        { name: 'web', namespace: 'ssa', fieldManager, ...(force === undefined ? {} : { force }), body },
        apply,
      );
    const first = await send('orch', deployment('web', 'ssa'));
    expect(first.metadata!.generation).toBe(1);
    const second = await send('orch', deployment('web', 'ssa'));
    expect(second.metadata!.generation).toBe(1);
    expect(
      second.metadata!.managedFields!.filter(
        ({ manager, operation }) => manager === 'orch' && operation === 'Apply',
      ),
    ).toHaveLength(1);
    const conflict = await failureOf(
      send('other', deployment('web', 'ssa', { replicas: 3, image: 'nginx:2' })),
    );
    expect(conflict).toMatchObject({ code: 409, reason: 'Conflict' });
    expect(conflict.details!.causes!.map(({ field }) => field).sort()).toEqual([
      '.spec.replicas',
      '.spec.template.spec.containers[name="main"].image',
    ]);
    const forced = await send('other', deployment('web', 'ssa', { replicas: 3, image: 'nginx:2' }), true);
    expect(forced.spec!.replicas).toBe(3);
    expect(forced.metadata!.generation).toBe(2);
    const withLabel = await send('orch', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', labels: { tier: 'a' } },
    });
    expect(withLabel.metadata!.labels).toEqual({ tier: 'a' });
    const without = await send('orch', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
    });
    expect(without.metadata!.labels).toBeUndefined();
    expect(without.spec!.replicas).toBe(3);
    const dry = await apps.patchNamespacedDeployment(
      { name: 'dry', namespace: 'ssa', fieldManager: 'orch', dryRun: 'All', body: deployment('dry', 'ssa') },
      apply,
    );
    expect(dry.metadata!.name).toBe('dry');
    expect((await failureOf(apps.readNamespacedDeployment({ name: 'dry', namespace: 'ssa' }))).code).toBe(
      404,
    );
  });

  it('applies any kind through KubernetesObjectApi', async () => {
    const objects = KubernetesObjectApi.makeApiClient(cluster.kubeConfig);
    const object = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'ssa' },
      stringData: { key: 'value' },
    };
    await objects.patch(object, undefined, undefined, 'orch', true, PatchStrategy.ServerSideApply);
    const read = await cluster.core.readNamespacedSecret({ name: 's', namespace: 'ssa' });
    expect(Buffer.from(read.data!['key']!, 'base64').toString()).toBe('value');
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'q', namespace: 'ssa' },
      spec: { hard: { pods: '10' } },
    };
    await objects.patch(quota, undefined, undefined, 'orch', true, PatchStrategy.ServerSideApply);
    await until(
      'quota status',
      async () =>
        (await cluster.core.readNamespacedResourceQuota({ name: 'q', namespace: 'ssa' })).status?.hard?.[
          'pods'
        ] === '10',
    );
  });

  it('watches: events, bookmarks, resumption, selectors', async () => {
    const { core } = cluster;
    const list = await core.listNamespacedConfigMap({ namespace: 'w' });
    const resourceVersion = list.metadata!.resourceVersion!;
    const running = watch(
      '/api/v1/namespaces/w/configmaps',
      { resourceVersion, allowWatchBookmarks: true },
      (seen) => seen.some(([type]) => type === 'DELETED') && seen.at(-1)![0] === 'BOOKMARK',
    );
    await core.createNamespacedConfigMap({
      namespace: 'w',
      body: { metadata: { name: 'one', labels: { a: 'x' } } },
    });
    await core.patchNamespacedConfigMap(
      { namespace: 'w', name: 'one', body: { metadata: { labels: { a: 'y' } } } },
      mergePatch,
    );
    await core.deleteNamespacedConfigMap({ namespace: 'w', name: 'one' });
    const seen = await running;
    expect(seen.filter(([type]) => type !== 'BOOKMARK').map(([type, name]) => [type, name])).toEqual([
      ['ADDED', 'one'],
      ['MODIFIED', 'one'],
      ['DELETED', 'one'],
    ]);
    expect(Number(seen.at(-1)![2].metadata!.resourceVersion)).toBeGreaterThanOrEqual(
      Number(resourceVersion) + 3,
    );
    const again = await watch(
      '/api/v1/namespaces/w/configmaps',
      { resourceVersion },
      (each) => each.length >= 3,
    );
    expect(again.map(([type]) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
    const selected = await watch(
      '/api/v1/namespaces/w/configmaps',
      { resourceVersion, labelSelector: 'a=x' },
      (each) => each.length >= 2,
    );
    expect(selected.map(([type]) => type)).toEqual(['ADDED', 'DELETED']);
    const initial = await watch(
      '/api/v1/namespaces/w/configmaps',
      { sendInitialEvents: true, allowWatchBookmarks: true, resourceVersionMatch: 'NotOlderThan' },
      (each) => each.some(([type]) => type === 'BOOKMARK'),
    );
    expect(initial.at(-1)![2].metadata!.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' });
  });

  it('answers 410 to watches and pages from before the compaction', async () => {
    const { core, sim } = cluster;
    for (let i = 0; i < 5; i += 1)
      await core.createNamespacedConfigMap({ namespace: 'pages', body: { metadata: { name: `c${i}` } } });
    const first = await core.listNamespacedConfigMap({ namespace: 'pages', limit: 2 });
    expect(first.items.map(({ metadata }) => metadata!.name)).toEqual(['c0', 'c1']);
    await core.deleteNamespacedConfigMap({ namespace: 'pages', name: 'c3' });
    const second = await core.listNamespacedConfigMap({
      namespace: 'pages',
      limit: 2,
      _continue: first.metadata!._continue!,
    });
    expect(second.items.map(({ metadata }) => metadata!.name)).toEqual(['c2', 'c3']);
    expect(second.metadata!.resourceVersion).toBe(first.metadata!.resourceVersion);
    sim.faults.compact();
    await core.createNamespacedConfigMap({ namespace: 'pages', body: { metadata: { name: 'after' } } });
    expect(
      await failureOf(
        core.listNamespacedConfigMap({ namespace: 'pages', limit: 2, _continue: first.metadata!._continue! }),
      ),
    ).toMatchObject({ code: 410, reason: 'Expired' });
    const seen = await watch(
      '/api/v1/configmaps',
      { resourceVersion: first.metadata!.resourceVersion! },
      (each) => each.length > 0,
    );
    expect(seen[0]).toMatchObject(['ERROR', undefined, { code: 410, reason: 'Expired' }]);
  });

  it('deletes collections, and refuses selectors it does not know', async () => {
    const { core } = cluster;
    await core.deleteCollectionNamespacedConfigMap({
      namespace: 'pages',
      fieldSelector: 'metadata.name!=c1',
    });
    expect(
      (await core.listNamespacedConfigMap({ namespace: 'pages', labelSelector: '!none' })).items.map(
        ({ metadata }) => metadata!.name,
      ),
    ).toContain('c1');
    expect(
      await failureOf(core.listNamespacedConfigMap({ namespace: 'pages', fieldSelector: 'data.x=1' })),
    ).toMatchObject({ code: 400, message: 'field label not supported: data.x' });
  });
});
