import { Writable } from 'node:stream';
import { Log } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { KubeSim } from '../src/index.ts';
import { type Clients, deployment, failureOf, gpuNode, job, startCluster, until } from './cluster.ts';

// Real: @kubernetes/client-node 2.0.1 over HTTP on 127.0.0.1. The cluster is kube-sim, ten times as fast as usual.

describe('workloads', () => {
  let cluster: { sim: KubeSim } & Clients;
  let spaces = 0;

  beforeAll(async () => {
    cluster = await startCluster({
      nodes: [gpuNode('node-a'), gpuNode('node-b', { labels: { pool: 'b' } })],
    });
  });
  afterAll(() => cluster.sim.close());

  const newSpace = async (labels: Record<string, string> = {}): Promise<string> => {
    const name = `space-${(spaces += 1)}`;
    await cluster.core.createNamespace({ body: { metadata: { name, labels } } });
    await until(
      'the default service account',
      async () => (await cluster.core.listNamespacedServiceAccount({ namespace: name })).items.length > 0,
    );
    return name;
  };
  const pods = async (namespace: string) => (await cluster.core.listNamespacedPod({ namespace })).items;

  it('a deployment runs, with times, conditions and truthful logs', async () => {
    const namespace = await newSpace();
    await cluster.apps.createNamespacedDeployment({
      namespace,
      body: deployment('web', namespace, {
        replicas: 2,
        gpus: 1,
        command: ['sh', '-c', 'echo "hello"; sleep infinity'],
      }),
    });
    const ready = await until('available', async () => {
      const read = await cluster.apps.readNamespacedDeployment({ name: 'web', namespace });
      return read.status?.availableReplicas === 2 && read;
    });
    expect(ready.status!.conditions!.find(({ type }) => type === 'Available')!.status).toBe('True');
    const [pod] = await pods(namespace);
    expect(pod!.status!.phase).toBe('Running');
    const container = pod!.status!.containerStatuses![0]!;
    expect(container.ready).toBe(true);
    expect(container.state!.running!.startedAt).toBeInstanceOf(Date);
    expect(pod!.status!.conditions!.find(({ type }) => type === 'Ready')!.status).toBe('True');
    const log = await cluster.core.readNamespacedPodLog({ name: pod!.metadata!.name!, namespace });
    expect(log).toContain('container main started on node');
    expect(log).toContain('hello');
    const tail = await cluster.core.readNamespacedPodLog({
      name: pod!.metadata!.name!,
      namespace,
      tailLines: 1,
      timestamps: true,
    });
    expect(tail).toMatch(/^\d{4}-\d\d-\d\dT.*Z hello\n$/);
  });

  it('what fits nowhere stays pending, with condition and event, and starts when room appears', async () => {
    const namespace = await newSpace();
    const body = deployment('big', namespace, { replicas: 3, gpus: 8 });
    Object.assign(body.spec.template.spec, { nodeSelector: { pool: 'b' } });
    await cluster.apps.createNamespacedDeployment({ namespace, body });
    await until('one running', async () =>
      (await pods(namespace)).some(({ status }) => status!.phase === 'Running'),
    );
    const waiting = await until('a reason', async () =>
      (await pods(namespace)).find(({ status }) =>
        status!.conditions?.some(({ type, reason }) => type === 'PodScheduled' && reason === 'Unschedulable'),
      ),
    );
    expect(waiting.status!.conditions![0]!.message).toBe(
      "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 node(s) didn't match Pod's node affinity/selector.",
    );
    const events = await cluster.core.listNamespacedEvent({
      namespace,
      fieldSelector: `involvedObject.name=${waiting.metadata!.name}`,
    });
    expect(events.items.map(({ reason }) => reason)).toContain('FailedScheduling');
    const running = (await pods(namespace)).find(({ status }) => status!.phase === 'Running')!;
    await cluster.apps.patchNamespacedDeploymentScale({
      name: 'big',
      namespace,
      body: [{ op: 'replace', path: '/spec/replicas', value: 1 }],
    });
    await until('one pod left', async () => (await pods(namespace)).length === 1);
    expect((await pods(namespace))[0]!.metadata!.name).toBe(running.metadata!.name);
  });

  it('a job completes; its exit code and times are kept', async () => {
    const namespace = await newSpace();
    await cluster.batch.createNamespacedJob({ namespace, body: job('good', namespace, ['sleep', '1']) });
    const done = await until('complete', async () => {
      const read = await cluster.batch.readNamespacedJob({ name: 'good', namespace });
      return (
        read.status?.conditions?.some(({ type, status }) => type === 'Complete' && status === 'True') && read
      );
    });
    expect(done.status).toMatchObject({ succeeded: 1 });
    const [pod] = await pods(namespace);
    const { terminated } = pod!.status!.containerStatuses![0]!.state!;
    expect(terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
    const ranMs = terminated!.finishedAt!.getTime() - terminated!.startedAt!.getTime();
    expect(ranMs).toBeGreaterThanOrEqual(1_000);
    expect(ranMs).toBeLessThanOrEqual(2_000);
    expect(pod!.status!.phase).toBe('Succeeded');
  });

  it('a job that fails too often, or takes too long, has failed with the reason', async () => {
    const namespace = await newSpace();
    await cluster.batch.createNamespacedJob({
      namespace,
      body: job('bad', namespace, ['sh', '-c', 'exit 3'], { backoffLimit: 0 }),
    });
    await cluster.batch.createNamespacedJob({
      namespace,
      body: job('slow', namespace, ['sleep', '600'], { activeDeadlineSeconds: 1 }),
    });
    const failed = (name: string) =>
      until(`${name} failed`, async () =>
        (await cluster.batch.readNamespacedJob({ name, namespace })).status?.conditions?.find(
          ({ type }) => type === 'Failed',
        ),
      );
    expect((await failed('bad')).reason).toBe('BackoffLimitExceeded');
    expect((await failed('slow')).reason).toBe('DeadlineExceeded');
    const bad = (await pods(namespace)).find(({ metadata }) => metadata!.name!.startsWith('bad-'))!;
    expect(bad.status!.containerStatuses![0]!.state!.terminated!.exitCode).toBe(3);
  });

  it('an indexed job runs every index once', async () => {
    const namespace = await newSpace();
    await cluster.batch.createNamespacedJob({
      namespace,
      body: job('gang', namespace, ['true'], { completionMode: 'Indexed', completions: 3, parallelism: 3 }),
    });
    const done = await until('complete', async () => {
      const read = await cluster.batch.readNamespacedJob({ name: 'gang', namespace });
      return read.status?.succeeded === 3 && read;
    });
    expect(done.status!.completedIndexes).toBe('0-2');
    expect(
      (await pods(namespace))
        .map(({ metadata }) => metadata!.annotations!['batch.kubernetes.io/job-completion-index'])
        .sort(),
    ).toEqual(['0', '1', '2']);
  });

  it('an image that does not exist is backed off from; a container that keeps failing, too', async () => {
    const namespace = await newSpace();
    await cluster.apps.createNamespacedDeployment({
      namespace,
      body: deployment('nope', namespace, { image: 'registry/does-not-exist:1' }),
    });
    await cluster.apps.createNamespacedDeployment({
      namespace,
      body: deployment('crash', namespace, { command: ['sh', '-c', 'exit 1'] }),
    });
    const reason = (name: string, wanted: string) =>
      until(wanted, async () =>
        (await pods(namespace)).find(
          ({ metadata, status }) =>
            metadata!.name!.startsWith(name) &&
            status!.containerStatuses?.[0]?.state?.waiting?.reason === wanted,
        ),
      );
    await reason('nope', 'ErrImagePull');
    await reason('nope', 'ImagePullBackOff');
    const crashed = await reason('crash', 'CrashLoopBackOff');
    expect(crashed.status!.containerStatuses![0]!.lastState!.terminated!.exitCode).toBe(1);
    expect(crashed.status!.containerStatuses![0]!.restartCount).toBeGreaterThanOrEqual(1);
  });

  it('a stateful set gets its volumes; an unknown storage class leaves it waiting', async () => {
    const namespace = await newSpace();
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
    expect((await pods(namespace)).map(({ metadata }) => metadata!.name)).toEqual(['db-0', 'db-1']);
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
    const namespace = await newSpace();
    const spec = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };
    const volumes = [{ name: 'scratch', ephemeral: { volumeClaimTemplate: { spec } } }];
    const body = job('v', namespace, ['sleep', '600'], {}, { volumes });
    await cluster.batch.createNamespacedJob({ namespace, body });
    await until('running', async () => (await pods(namespace))[0]?.status?.phase === 'Running');
    const claims = async () => (await cluster.core.listNamespacedPersistentVolumeClaim({ namespace })).items;
    const [claim] = await claims();
    expect([claim!.metadata!.name, claim!.status!.phase]).toEqual([
      `${(await pods(namespace))[0]!.metadata!.name}-scratch`,
      'Bound',
    ]);
    await cluster.batch.deleteNamespacedJob({ name: 'v', namespace, propagationPolicy: 'Background' });
    await until('no claim', async () => (await claims()).length === 0);
    expect(
      (await cluster.core.listPersistentVolume()).items.map(({ metadata }) => metadata!.name),
    ).not.toContain(claim!.spec!.volumeName);
  });

  it.each([
    [
      'slots',
      {
        product: 'NVIDIA-L4',
        sharing: { mode: 'shared', slotsPerGpu: 4, renamed: true },
        labels: { 'nvidia.com/gpu.product': 'NVIDIA-L4', 'nvidia.com/gpu.replicas': '4' },
      },
      'nvidia.com/gpu.shared',
    ],
    [
      'slots under the old name',
      {
        product: 'NVIDIA-L4',
        sharing: { mode: 'shared', slotsPerGpu: 4, renamed: false },
        labels: { 'nvidia.com/gpu.product': 'NVIDIA-L4-SHARED', 'nvidia.com/gpu.count': '1' },
      },
      'nvidia.com/gpu',
    ],
    [
      'slices',
      {
        product: 'NVIDIA-A30',
        sharing: { mode: 'mig', profile: '1g.6gb', slicesPerGpu: 4, sliceMiB: 5_952, strategy: 'mixed' },
        labels: { 'nvidia.com/gpu.product': 'NVIDIA-A30', 'nvidia.com/mig.strategy': 'mixed' },
      },
      'nvidia.com/mig-1g.6gb',
    ],
    [
      'slices under the name of GPUs',
      {
        product: 'NVIDIA-A30',
        sharing: { mode: 'mig', profile: '1g.6gb', slicesPerGpu: 4, sliceMiB: 5_952, strategy: 'single' },
        labels: { 'nvidia.com/gpu.product': 'NVIDIA-A30-MIG-1g.6gb', 'nvidia.com/gpu.memory': '5952' },
      },
      'nvidia.com/gpu',
    ],
  ] as const)('%s of a GPU are given out, and no more of them than there are', async (_, gpu, resource) => {
    const other = await startCluster({
      nodes: [
        gpuNode('parts', { gpus: 4, gpu: { product: gpu.product, vramMiB: 24_576, sharing: gpu.sharing } }),
      ],
    });
    try {
      const node = await other.core.readNode({ name: 'parts' });
      expect(node.metadata!.labels).toMatchObject(gpu.labels);
      expect(node.status!.allocatable![resource]).toBe('4');
      const pod = (name: string, count: number, asked: string = resource) => ({
        metadata: { name },
        spec: { containers: [{ name: 'c', image: 'x', resources: { limits: { [asked]: String(count) } } }] },
      });
      const create = (body: ReturnType<typeof pod>) =>
        other.core.createNamespacedPod({ namespace: 'default', body });
      const statusOf = async (name: string) =>
        (await other.core.readNamespacedPod({ namespace: 'default', name })).status!;
      const refusal = (name: string) =>
        until('a reason', async () =>
          (await statusOf(name)).conditions?.find(({ reason }) => reason === 'Unschedulable'),
        );
      await create(pod('three', 3));
      await until('three running', async () => (await statusOf('three')).phase === 'Running');
      await create(pod('two', 2));
      expect((await refusal('two')).message).toContain(`Insufficient ${resource}`);
      if (resource !== 'nvidia.com/gpu') {
        await create(pod('whole', 1, 'nvidia.com/gpu'));
        expect((await refusal('whole')).message).toContain('Insufficient nvidia.com/gpu');
      }
      await other.core.deleteNamespacedPod({ namespace: 'default', name: 'three' });
      await until('two running', async () => (await statusOf('two')).phase === 'Running');
      other.sim.faults.limitGpus('parts', 1);
      expect((await other.core.readNode({ name: 'parts' })).status!.allocatable![resource]).toBe('1');
    } finally {
      await other.sim.close();
    }
  });

  it('a quota refuses pods as the real server does', async () => {
    const namespace = await newSpace();
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
    const namespace = await newSpace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
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
    const namespace = await newSpace();
    const body = deployment('web', namespace);
    Object.assign(body.spec.template.metadata, { annotations: { 'sim/stop-delay': '1s' } });
    await cluster.apps.createNamespacedDeployment({ namespace, body });
    await until('running', async () => (await pods(namespace))[0]?.status?.phase === 'Running');
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
    expect(await pods(namespace)).toEqual([]);
  });

  it('deleting an owner deletes what it made, or leaves it when asked to', async () => {
    const namespace = await newSpace();
    await cluster.batch.createNamespacedJob({ namespace, body: job('a', namespace, ['sleep', '600']) });
    await cluster.batch.createNamespacedJob({ namespace, body: job('b', namespace, ['sleep', '600']) });
    await until(
      'two pods',
      async () => (await pods(namespace)).filter(({ status }) => status!.phase === 'Running').length === 2,
    );
    await cluster.batch.deleteNamespacedJob({ name: 'a', namespace, propagationPolicy: 'Background' });
    await until('one pod', async () => (await pods(namespace)).length === 1);
    await cluster.batch.deleteNamespacedJob({ name: 'b', namespace, propagationPolicy: 'Orphan' });
    await until(
      'no job',
      async () => (await cluster.batch.listNamespacedJob({ namespace })).items.length === 0,
    );
    const [left] = await until('the orphan without owner', async () => {
      const found = await pods(namespace);
      return found[0]?.metadata?.ownerReferences === undefined && found;
    });
    expect(left!.metadata!.name).toMatch(/^b-/);
  });

  it('follows logs to the end of the container', async () => {
    const namespace = await newSpace();
    await cluster.core.createNamespacedPod({
      namespace,
      body: {
        metadata: { name: 'talk' },
        spec: {
          restartPolicy: 'Never',
          containers: [
            { name: 'c', image: 'x', command: ['sh', '-c', 'echo one; sleep 1; echo two; exit 0'] },
          ],
        },
      },
    });
    await until('running', async () => (await pods(namespace))[0]?.status?.phase === 'Running');
    let text = '';
    const sink = new Writable({
      write: (part, _encoding, done) => {
        text += String(part);
        done();
      },
    });
    await new Log(cluster.kubeConfig).log(namespace, 'talk', 'c', sink, { follow: true });
    await until('the end', () => text.includes('ended with exit code 0'));
    expect(text.indexOf('one')).toBeLessThan(text.indexOf('two'));
  });
});
