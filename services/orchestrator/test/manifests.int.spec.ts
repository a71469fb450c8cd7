import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { PlacementGroup, WorkloadSecrets } from '@gridbourse/events';
import { DomainError, seededRandom, systemClock } from '@gridbourse/kernel';
import { type KubeSim, startKubeSim } from '@gridbourse/kube-sim';
import { parseManifest } from '@gridbourse/manifest';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ClusterHttp } from '../src/adapters/kubernetes/cluster-http.ts';
import { clusterAccess } from '../src/adapters/kubernetes/kubeconfig.ts';
import { KubernetesApi } from '../src/adapters/kubernetes/kubernetes-api.ts';
import { allObjects, workloadObjects } from '../src/domain/objects/workload-objects.ts';
import { type LeaseProposedEvent, leaseOf } from './support/fixtures.ts';
import { objectOptions } from './support/object-options.ts';

jest.setTimeout(120_000);

// Real manifests in both dialects: the shared collection where it is there, the project's own copies in any case.
const ROOT = join(import.meta.dirname, '../../..');
const folders = [join(ROOT, '../shared/data/manifests'), join(ROOT, 'libs/manifest/test/fixtures')].filter(
  existsSync,
);
const files = folders.flatMap((cwd) => globSync('**/*.{yml,yaml}', { cwd }).map((file) => join(cwd, file)));

type Case = { name: string; lease: LeaseProposedEvent; secrets: WorkloadSecrets | null };

const casesOf = (file: string): Case[] => {
  const parse = () => parseManifest(readFileSync(file, 'utf8'));
  try {
    const { spec, secrets } = parse();
    return spec.groups.flatMap((group: PlacementGroup) =>
      (['service', 'job'] as const).map((run) => {
        const lease = leaseOf({ run, services: [...group.services] });
        // Replicas on two machines, so that there is more than one controller for a service.
        const placements = lease.placements.map((placement, index) => ({
          ...placement,
          node: `node-${index % 2}`,
        }));
        return { name: `${basename(file)} ${group.name} ${run}`, lease: { ...lease, placements }, secrets };
      }),
    );
  } catch (error) {
    if (error instanceof DomainError && error.code === 'invalid_manifest') return []; // refused before any lease
    throw error;
  }
};

// Real: the HTTP client and the objects. The cluster is kube-sim, which validates and admits as an API server does.
describe('every real manifest', () => {
  let sim: KubeSim;
  let api: KubernetesApi;

  beforeAll(async () => {
    sim = await startKubeSim({
      nodes: [{ name: 'node-0', cpuMillis: 1_000, memoryMiB: 1_000, storageMiB: 1_000 }],
    });
    const http = new ClusterHttp(await clusterAccess(sim.kubeconfig));
    api = new KubernetesApi(http, { clock: systemClock, random: seededRandom(1), callDeadlineMs: 10_000 });
  });
  afterAll(async () => {
    api.close();
    await sim.close();
  });

  it('has objects that the API accepts, and accepts again', async () => {
    const cases = files.flatMap(casesOf);
    expect(cases.length).toBeGreaterThan(10);
    const refused: string[] = [];
    for (const [index, { name, lease, secrets }] of cases.entries()) {
      const objects = workloadObjects(lease, secrets, objectOptions());
      const again = index % 10 === 0 ? allObjects(objects) : [];
      for (const stage of [[objects.namespace], objects.guards, objects.running, again]) {
        await Promise.all(
          stage.map((object) =>
            api
              .apply(object)
              .catch((error: Error) => refused.push(`${name}: ${object.kind} ${error.message}`)),
          ),
        );
      }
      const namespace = objects.namespace.metadata.name;
      await fetch(`${sim.url}/api/v1/namespaces/${namespace}`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${sim.token}` },
      });
    }
    expect(refused).toEqual([]);
  });
});
