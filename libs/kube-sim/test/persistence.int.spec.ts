import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Watch } from '@kubernetes/client-node';
import { startKubeSim } from '../src/index.ts';
import { clientsOf, deployment, failureOf, gpuNode, job, startCluster, until } from './cluster.ts';

// Real: files, processes, @kubernetes/client-node over HTTP on 127.0.0.1.

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

describe('a cluster with a state file', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'kube-sim-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('goes on after a restart: token, objects, start times, history of watches', async () => {
    const stateFile = join(folder, 'restart.jsonl');
    const before = await startCluster({ stateFile });
    await before.apps.createNamespacedDeployment({
      namespace: 'default',
      body: deployment('web', 'default'),
    });
    const running = await until('running', async () => {
      const [pod] = (await before.core.listNamespacedPod({ namespace: 'default' })).items;
      return pod?.status?.phase === 'Running' && pod;
    });
    await before.batch.createNamespacedJob({
      namespace: 'default',
      body: job('short', 'default', ['sleep', '2']),
    });
    await until(
      'the job runs',
      async () =>
        (await before.batch.readNamespacedJob({ name: 'short', namespace: 'default' })).status?.ready === 1,
    );
    await before.sim.close();

    const after = await startCluster({ stateFile });
    expect(after.sim.token).toBe(before.sim.token);
    const again = await after.core.readNamespacedPod({ name: running.metadata!.name!, namespace: 'default' });
    expect(again.metadata!.uid).toBe(running.metadata!.uid);
    expect(again.status!.containerStatuses![0]!.state!.running!.startedAt).toEqual(
      running.status!.containerStatuses![0]!.state!.running!.startedAt,
    );
    const done = await until('the job ends', async () => {
      const read = await after.batch.readNamespacedJob({ name: 'short', namespace: 'default' });
      return read.status?.succeeded === 1 && read;
    });
    expect(done.status!.completionTime!.getTime() - done.status!.startTime!.getTime()).toBeLessThanOrEqual(
      4_000,
    );
    await after.sim.close();
  });

  it('loses nothing it acknowledged when it is killed at any moment', async () => {
    const stateFile = join(folder, 'killed.jsonl');
    const script = join(folder, 'run.mjs');
    writeFileSync(
      script,
      `import { startKubeSim } from '${ROOT}/libs/kube-sim/src/index.ts';
       const sim = await startKubeSim({ nodes: [], stateFile: ${JSON.stringify(stateFile)} });
       console.log(JSON.stringify({ url: sim.url, kubeconfig: sim.kubeconfig }));`,
    );
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        `--import=${ROOT}/tools/swc-register.mjs`,
        '--conditions=@gridbourse/source',
        script,
      ],
      { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data) => resolve(String(data))),
    );
    const clients = clientsOf(JSON.parse(line) as never);
    let acknowledged = 0;
    const writing = (async () => {
      for (;;) {
        await clients.core.createNamespacedConfigMap({
          namespace: 'default',
          body: { metadata: { name: `c${acknowledged}` } },
        });
        acknowledged += 1;
      }
    })().catch(() => undefined);
    await until('some writes', () => acknowledged >= 100);
    child.kill('SIGKILL');
    await writing;

    const after = await startCluster({ stateFile, nodes: [] });
    const names = new Set(
      (await after.core.listNamespacedConfigMap({ namespace: 'default' })).items.map(
        ({ metadata }) => metadata!.name,
      ),
    );
    for (let i = 0; i < acknowledged; i += 1) expect(names.has(`c${i}`)).toBe(true);
    await after.sim.close();
  });

  it('lets a watch resume over a kill, drops a torn last line, and refuses a damaged file', async () => {
    const stateFile = join(folder, 'torn.jsonl');
    const first = await startCluster({ stateFile, nodes: [] });
    const { resourceVersion } = (await first.core.listNamespacedConfigMap({ namespace: 'default' }))
      .metadata!;
    await first.core.createNamespacedConfigMap({
      namespace: 'default',
      body: { metadata: { name: 'kept' } },
    });
    const atKill = readFileSync(stateFile);
    await first.sim.close();
    writeFileSync(stateFile, atKill);
    appendFileSync(stateFile, '{"revision":99999,"type":"ADD');

    const second = await startCluster({ stateFile, nodes: [] });
    const seen: string[] = [];
    const controller = await new Watch(second.kubeConfig).watch(
      '/api/v1/namespaces/default/configmaps',
      { resourceVersion: resourceVersion! },
      (type, object) => seen.push(`${type} ${object.metadata.name}`),
      () => undefined,
    );
    await until('the event of before the kill', () => seen.includes('ADDED kept'));
    controller.abort();
    await second.sim.close();

    writeFileSync(stateFile, 'nonsense\n');
    await expect(startKubeSim({ nodes: [], stateFile })).rejects.toThrow('torn.jsonl:1 is damaged');
  });

  it('keeps its file small', async () => {
    const stateFile = join(folder, 'small.jsonl');
    const { sim, core } = await startCluster({ stateFile, nodes: [gpuNode('n')] });
    const [node] = (await core.listNode()).items;
    const lines = (): number => readFileSync(stateFile, 'utf8').split('\n').length;
    for (let i = 0; i < 5_000; i += 1)
      sim.faults[i % 2 ? 'restoreNode' : 'unreadyNode'](node!.metadata!.name!);
    await until('the compaction', () => lines() < 1_000);
    await sim.close();
    const again = await startCluster({ stateFile, nodes: [gpuNode('n')] });
    expect((await again.core.listNode()).items).toHaveLength(1);
    expect(await failureOf(again.core.readNode({ name: 'other' }))).toMatchObject({ code: 404 });
    await again.sim.close();
  });
});
