import { Writable } from 'node:stream';
import { Log } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { deployment, job, type SharedCluster, startSharedCluster, until } from './cluster.ts';

// Real: @kubernetes/client-node 2.0.1 over HTTP on 127.0.0.1. The cluster is kube-sim, ten times as fast as usual.

describe('workloads', () => {
  let cluster: SharedCluster;

  beforeAll(async () => {
    cluster = await startSharedCluster();
  });
  afterAll(() => cluster.close());

  it('a deployment runs, with times, conditions and truthful logs', async () => {
    const namespace = await cluster.newSpace();
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
    const [pod] = await cluster.pods(namespace);
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
    const namespace = await cluster.newSpace();
    const body = deployment('big', namespace, { replicas: 3, gpus: 8 });
    Object.assign(body.spec.template.spec, { nodeSelector: { pool: 'b' } });
    await cluster.apps.createNamespacedDeployment({ namespace, body });
    await until('one running', async () =>
      (await cluster.pods(namespace)).some(({ status }) => status!.phase === 'Running'),
    );
    const waiting = await until('a reason', async () =>
      (await cluster.pods(namespace)).find(({ status }) =>
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
    const running = (await cluster.pods(namespace)).find(({ status }) => status!.phase === 'Running')!;
    await cluster.apps.patchNamespacedDeploymentScale({
      name: 'big',
      namespace,
      body: [{ op: 'replace', path: '/spec/replicas', value: 1 }],
    });
    await until('one pod left', async () => (await cluster.pods(namespace)).length === 1);
    expect((await cluster.pods(namespace))[0]!.metadata!.name).toBe(running.metadata!.name);
  });

  it('a job completes; its exit code and times are kept', async () => {
    const namespace = await cluster.newSpace();
    await cluster.batch.createNamespacedJob({ namespace, body: job('good', namespace, ['sleep', '1']) });
    const done = await until('complete', async () => {
      const read = await cluster.batch.readNamespacedJob({ name: 'good', namespace });
      return (
        read.status?.conditions?.some(({ type, status }) => type === 'Complete' && status === 'True') && read
      );
    });
    expect(done.status).toMatchObject({ succeeded: 1 });
    const [pod] = await cluster.pods(namespace);
    const { terminated } = pod!.status!.containerStatuses![0]!.state!;
    expect(terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
    const ranMs = terminated!.finishedAt!.getTime() - terminated!.startedAt!.getTime();
    expect(ranMs).toBeGreaterThanOrEqual(1_000);
    expect(ranMs).toBeLessThanOrEqual(2_000);
    expect(pod!.status!.phase).toBe('Succeeded');
  });

  it('a job that fails too often, or takes too long, has failed with the reason', async () => {
    const namespace = await cluster.newSpace();
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
    const bad = (await cluster.pods(namespace)).find(({ metadata }) => metadata!.name!.startsWith('bad-'))!;
    expect(bad.status!.containerStatuses![0]!.state!.terminated!.exitCode).toBe(3);
  });

  it('an indexed job runs every index once', async () => {
    const namespace = await cluster.newSpace();
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
      (await cluster.pods(namespace))
        .map(({ metadata }) => metadata!.annotations!['batch.kubernetes.io/job-completion-index'])
        .sort(),
    ).toEqual(['0', '1', '2']);
  });

  it('an image that does not exist is backed off from; a container that keeps failing, too', async () => {
    const namespace = await cluster.newSpace();
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
        (await cluster.pods(namespace)).find(
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

  it('follows logs to the end of the container', async () => {
    const namespace = await cluster.newSpace();
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
    await until('running', async () => (await cluster.pods(namespace))[0]?.status?.phase === 'Running');
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
