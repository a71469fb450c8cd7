import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deployment, failureOf, job, type SharedCluster, startSharedCluster, until } from './cluster.ts';

// Real: @kubernetes/client-node 2.0.1 over HTTP on 127.0.0.1. The cluster is kube-sim, ten times as fast as usual.

describe('namespaces', () => {
  let cluster: SharedCluster;

  beforeAll(async () => {
    cluster = await startSharedCluster();
  });
  afterAll(() => cluster.close());

  it('a quota refuses pods as the real server does', async () => {
    const namespace = await cluster.newSpace();
    await cluster.core.createNamespacedResourceQuota({
      namespace,
      body: { metadata: { name: 'q' }, spec: { hard: { 'requests.nvidia.com/gpu': '2', pods: '5' } } },
    });
    const pod = (name: string, gpus: number) => ({
      metadata: { name },
      spec: {
        containers: [{ name: 'c', image: 'x', resources: { limits: { 'nvidia.com/gpu': String(gpus) } } }],
      },
    });
    await cluster.core.createNamespacedPod({ namespace, body: pod('a', 2) });
    expect(await failureOf(cluster.core.createNamespacedPod({ namespace, body: pod('b', 1) }))).toMatchObject(
      {
        code: 403,
        message:
          'pods "b" is forbidden: exceeded quota: q, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=2, limited: requests.nvidia.com/gpu=2',
      },
    );
    await cluster.core.deleteNamespacedPod({ name: 'a', namespace });
    await until(
      'given back',
      async () =>
        (await cluster.core.readNamespacedResourceQuota({ name: 'q', namespace })).status?.used?.[
          'requests.nvidia.com/gpu'
        ] === '0',
    );
    await cluster.core.createNamespacedPod({ namespace, body: pod('b', 1) });
  });

  it('a restricted namespace refuses privileged pods', async () => {
    const namespace = await cluster.newSpace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    const body = {
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'c', image: 'x', securityContext: { privileged: true } }] },
    };
    expect(await failureOf(cluster.core.createNamespacedPod({ namespace, body }))).toMatchObject({
      code: 403,
      message: expect.stringContaining('violates PodSecurity "restricted:latest"'),
    });
  });

  it('a namespace is terminating, refuses new content, and then is gone with all that was in it', async () => {
    const namespace = await cluster.newSpace();
    const body = deployment('web', namespace);
    Object.assign(body.spec.template.metadata, { annotations: { 'sim/stop-delay': '1s' } });
    await cluster.apps.createNamespacedDeployment({ namespace, body });
    await until('running', async () => (await cluster.pods(namespace))[0]?.status?.phase === 'Running');
    await cluster.core.deleteNamespace({ name: namespace });
    expect((await cluster.core.readNamespace({ name: namespace })).status!.phase).toBe('Terminating');
    expect(
      await failureOf(
        cluster.core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'late' } } }),
      ),
    ).toMatchObject({ code: 403, message: expect.stringContaining('because it is being terminated') });
    await until(
      'gone',
      async () =>
        (await failureOf(cluster.core.readNamespace({ name: namespace })).catch(() => null))?.code === 404,
    );
    expect(await cluster.pods(namespace)).toEqual([]);
  });

  it('deleting an owner deletes what it made, or leaves it when asked to', async () => {
    const namespace = await cluster.newSpace();
    await cluster.batch.createNamespacedJob({ namespace, body: job('a', namespace, ['sleep', '600']) });
    await cluster.batch.createNamespacedJob({ namespace, body: job('b', namespace, ['sleep', '600']) });
    await until(
      'two pods',
      async () =>
        (await cluster.pods(namespace)).filter(({ status }) => status!.phase === 'Running').length === 2,
    );
    await cluster.batch.deleteNamespacedJob({ name: 'a', namespace, propagationPolicy: 'Background' });
    await until('one pod', async () => (await cluster.pods(namespace)).length === 1);
    await cluster.batch.deleteNamespacedJob({ name: 'b', namespace, propagationPolicy: 'Orphan' });
    await until(
      'no job',
      async () => (await cluster.batch.listNamespacedJob({ namespace })).items.length === 0,
    );
    const [left] = await until('the orphan without owner', async () => {
      const found = await cluster.pods(namespace);
      return found[0]?.metadata?.ownerReferences === undefined && found;
    });
    expect(left!.metadata!.name).toMatch(/^b-/);
  });
});
