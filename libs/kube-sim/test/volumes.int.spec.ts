import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deployment, job, type SharedCluster, startSharedCluster, until } from './cluster.ts';

// Real: @kubernetes/client-node 2.0.1 over HTTP on 127.0.0.1. The cluster is kube-sim, ten times as fast as usual.

describe('volumes', () => {
  let cluster: SharedCluster;

  beforeAll(async () => {
    cluster = await startSharedCluster();
  });
  afterAll(() => cluster.close());

  it('a stateful set gets its volumes; an unknown storage class leaves it waiting', async () => {
    const namespace = await cluster.newSpace();
    const { template, selector } = deployment('db', namespace).spec;
    const claims = (storageClassName?: string) => [
      {
        metadata: { name: 'data' },
        spec: {
          accessModes: ['ReadWriteOnce'],
          resources: { requests: { storage: '1Gi' } },
          ...(storageClassName ? { storageClassName } : {}),
        },
      },
    ];
    await cluster.apps.createNamespacedStatefulSet({
      namespace,
      body: {
        metadata: { name: 'db' },
        spec: { serviceName: 'db', replicas: 2, selector, template, volumeClaimTemplates: claims() },
      },
    });
    await until(
      'both ready',
      async () =>
        (await cluster.apps.readNamespacedStatefulSet({ name: 'db', namespace })).status?.readyReplicas === 2,
    );
    expect((await cluster.pods(namespace)).map(({ metadata }) => metadata!.name)).toEqual(['db-0', 'db-1']);
    const bound = await cluster.core.listNamespacedPersistentVolumeClaim({ namespace });
    expect(bound.items.map(({ metadata, status }) => [metadata!.name, status!.phase])).toEqual([
      ['data-db-0', 'Bound'],
      ['data-db-1', 'Bound'],
    ]);
    await cluster.apps.createNamespacedStatefulSet({
      namespace,
      body: {
        metadata: { name: 'lost' },
        spec: {
          serviceName: 'lost',
          selector: { matchLabels: { app: 'lost' } },
          template: { ...template, metadata: { labels: { app: 'lost' } } },
          volumeClaimTemplates: claims('beta9'),
        },
      },
    });
    await until(
      'the event',
      async () =>
        (await cluster.core.listNamespacedEvent({ namespace, fieldSelector: 'reason=ProvisioningFailed' }))
          .items[0],
    );
  });

  it('an ephemeral volume lives as long as its pod', async () => {
    const namespace = await cluster.newSpace();
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    const volumes = [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec } } }];
    const body = job('v', namespace, ['sleep', '600'], {}, { volumes });
    await cluster.batch.createNamespacedJob({ namespace, body });
    await until('running', async () => (await cluster.pods(namespace))[0]?.status?.phase === 'Running');
    const claims = async () => (await cluster.core.listNamespacedPersistentVolumeClaim({ namespace })).items;
    const [claim] = await claims();
    expect([claim!.metadata!.name, claim!.status!.phase]).toEqual([
      `${(await cluster.pods(namespace))[0]!.metadata!.name}-scratch`,
      'Bound',
    ]);
    await cluster.batch.deleteNamespacedJob({ name: 'v', namespace, propagationPolicy: 'Background' });
    await until('no claim', async () => (await claims()).length === 0);
    expect(
      (await cluster.core.listPersistentVolume()).items.map(({ metadata }) => metadata!.name),
    ).not.toContain(claim!.spec!.volumeName);
  });
});
