import { describe, expect, it } from '@jest/globals';
import type { ExposedPort, ServiceSpec, VolumeSpec } from '@gridbourse/events';
import { type LeaseProposedEvent, leaseOf, serviceOf } from '../../../test/support/fixtures.ts';
import { objectOptions } from '../../../test/support/object-options.ts';
import { leaseOfNamespace, namespaceOf } from './names.ts';
import type { KubernetesObject, ObjectOptions } from './object-types.ts';
import { endpointsOf } from './services.ts';
import { allObjects, workloadObjects } from './workload-objects.ts';

type Any = Record<string, never>;
const at = (object: unknown, path: string): never =>
  path.split('.').reduce((value, key) => value?.[key] as unknown as Any, object as Any) as never;

const port = (change: Partial<ExposedPort> = {}): ExposedPort => ({
  containerPort: 8080,
  servicePort: 80,
  protocol: 'http',
  global: true,
  services: [],
  hosts: [],
  ...change,
});
const disk = (change: Partial<VolumeSpec> = {}): VolumeSpec => ({
  name: 'data',
  sizeMiB: 1_024,
  mountPath: '/data',
  readOnly: false,
  kind: 'ephemeral',
  storageClass: null,
  ...change,
});
const resources = (change: Partial<ServiceSpec['resources']> = {}): ServiceSpec['resources'] => ({
  cpuMillis: 500,
  memoryMiB: 512,
  gpu: null,
  volumes: [],
  ...change,
});

const objectsOf = (
  change: Parameters<typeof leaseOf>[0],
  options: Partial<ObjectOptions> = {},
  secrets: Parameters<typeof workloadObjects>[1] = null,
): {
  lease: LeaseProposedEvent;
  all: KubernetesObject[];
  one: (kind: string, name?: string) => KubernetesObject;
} => {
  const lease = leaseOf(change);
  const all = allObjects(workloadObjects(lease, secrets, objectOptions(options)));
  return {
    lease,
    all,
    one: (kind, name) => {
      const found = all.filter((object) => object.kind === kind && (!name || object.metadata.name === name));
      expect(found).toHaveLength(1);
      return found[0]!;
    },
  };
};
const POD = 'spec.template.spec';

describe('the namespace of a lease', () => {
  it('has a name that follows from the lease and leads back to it', () => {
    const { leaseId } = leaseOf();
    expect(namespaceOf(leaseId)).toMatch(/^gb-lea-[0-9a-z]{26}$/);
    expect(leaseOfNamespace(namespaceOf(leaseId))).toBe(leaseId);
    expect(leaseOfNamespace('kube-system')).toBeNull();
    expect(leaseOfNamespace('gb-lea-nonsense')).toBeNull();
  });

  it('says whose everything in it is', () => {
    const { lease, all, one } = objectsOf({ services: [serviceOf({ envNames: ['A'], ports: [port()] })] });
    for (const { metadata } of all) {
      expect(metadata.labels).toMatchObject({
        'app.kubernetes.io/managed-by': 'gridbourse',
        'gridbourse.dev/lease': lease.leaseId,
        'gridbourse.dev/account': lease.accountId,
      });
    }
    expect(one('Namespace').metadata.labels).toMatchObject({
      'pod-security.kubernetes.io/enforce': 'baseline',
    });
  });

  it('holds what the lease pays for, GPUs included, and no more', () => {
    const gpu = { count: 4, vendor: 'nvidia' as const, sharing: { mode: 'whole' as const }, models: [] };
    const volumes = [
      disk({ mountPath: null }),
      disk({ kind: 'persistent', sizeMiB: 2_048 }),
      disk({ kind: 'ram', name: 'shm', mountPath: '/dev/shm' }),
    ];
    const { one } = objectsOf({
      services: [
        serviceOf({ replicas: 2, resources: resources({ gpu, volumes }) }),
        serviceOf({ name: 'db' }),
      ],
    });
    expect(at(one('ResourceQuota'), 'spec.hard')).toMatchObject({
      'requests.cpu': '1500m',
      'limits.memory': '1536Mi',
      'requests.nvidia.com/gpu': '8',
      'requests.amd.com/gpu': '0',
      'requests.ephemeral-storage': '2048Mi',
      'requests.storage': '4096Mi',
      persistentvolumeclaims: '2',
      pods: '3',
      'services.loadbalancers': '0',
    });
    expect(at(one('LimitRange'), 'spec.limits.0.max')).toEqual({ cpu: '500m', memory: '512Mi' });
  });
});

describe('isolation', () => {
  it('denies everything, then allows DNS, the internet, the namespace, and what is exposed', () => {
    const services = [
      serviceOf({ ports: [port(), port({ containerPort: 22, servicePort: 22, protocol: 'tcp' })] }),
      serviceOf({
        name: 'db',
        ports: [port({ containerPort: 5432, protocol: 'tcp', global: false, services: ['web'] })],
      }),
      serviceOf({ name: 'closed', ports: [port({ global: false })] }),
    ];
    const { all, one } = objectsOf({ services });
    expect(at(one('NetworkPolicy', 'default-deny'), 'spec')).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
    const except = at(one('NetworkPolicy', 'allow-internet'), 'spec.egress.0.to.0.ipBlock.except');
    expect(except).toEqual(
      expect.arrayContaining([
        '10.0.0.0/8',
        '172.16.0.0/12',
        '192.168.0.0/16',
        '169.254.0.0/16',
        '100.64.0.0/10',
      ]),
    );
    const web = at(one('NetworkPolicy', 'web-in'), 'spec.ingress') as { from: unknown[]; ports: unknown[] }[];
    expect(web[0]!.from).toEqual([
      { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } },
    ]);
    expect(web[1]!.from).toContainEqual({ ipBlock: { cidr: '0.0.0.0/0' } });
    expect(at(one('NetworkPolicy', 'db-in'), 'spec.ingress')).toEqual([
      {
        from: [{ podSelector: { matchLabels: { 'gridbourse.dev/service': 'web' } } }],
        ports: [{ protocol: 'TCP', port: 5432 }],
      },
    ]);
    expect(all.some(({ metadata }) => metadata.name === 'closed-in')).toBe(false);
  });

  it('gives a container no token, no privileges, and few capabilities', () => {
    const { one } = objectsOf({});
    const spec = at(one('Deployment'), POD);
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { seccompProfile: { type: 'RuntimeDefault' } },
      containers: [{ securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } }],
    });
    const strict = objectsOf(
      {},
      { hardening: 'restricted', runtimeClassName: 'gvisor', userNamespaces: true },
    );
    expect(at(strict.one('Deployment'), POD)).toMatchObject({ runtimeClassName: 'gvisor', hostUsers: false });
    expect(at(strict.one('Deployment'), `${POD}.containers.0.securityContext`)).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      capabilities: { drop: ['ALL'] },
      runAsNonRoot: true,
    });
  });

  it('keeps secret values out of everything but Secrets', () => {
    const services = [serviceOf({ envNames: ['TOKEN', 'odd name'], privateImage: true })];
    const imageCredentials = { server: 'docker.io', username: 'me', password: 'planted-password' };
    const secrets = {
      services: { web: { env: { TOKEN: 'planted-token', 'odd name': 'x' }, imageCredentials } },
    };
    const { all, one } = objectsOf({ services }, {}, secrets);
    const open = JSON.stringify(all.filter(({ kind }) => kind !== 'Secret'));
    for (const value of ['planted-token', 'planted-password']) {
      expect(open).not.toContain(value);
      expect(open).not.toContain(btoa(value));
    }
    expect(at(one('Secret', 'web-env'), 'data')).toEqual({
      TOKEN: btoa('planted-token'),
      'variable-1': btoa('x'),
    });
    const registry = JSON.parse(
      atob(one('Secret', 'web-registry')['data']!['.dockerconfigjson' as never]),
    ) as object;
    expect(registry).toMatchObject({ auths: { 'https://index.docker.io/v1/': { username: 'me' } } });
    expect(at(one('Deployment'), POD)).toMatchObject({
      imagePullSecrets: [{ name: 'web-registry' }],
      containers: [
        {
          env: [
            { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'web-env', key: 'TOKEN' } } },
            { name: 'odd name', valueFrom: { secretKeyRef: { name: 'web-env', key: 'variable-1' } } },
          ],
        },
      ],
    });
  });
});

describe('placement', () => {
  const h100 = {
    count: 2,
    vendor: 'nvidia' as const,
    sharing: { mode: 'whole' as const },
    models: [{ model: 'h100', vramMiB: null, interface: null, migProfile: null }],
  };
  const services = [serviceOf({ replicas: 3, resources: resources({ gpu: h100 }) })];
  const nodes = {
    a: { hostname: 'host-a', gpuProduct: 'NVIDIA-H100-80GB-HBM3', gpuReplicas: 1, gpuResources: [] },
    b: { hostname: 'b', gpuProduct: null, gpuReplicas: null, gpuResources: [] },
  };
  const placements = ['a', 'b', 'a'].map((node, replica) => ({ service: 'web', replica, node }));

  it('pins replicas to the machines that the book has them on, with the GPUs that those say they have', () => {
    const { all } = objectsOf({ services, placements }, { nodes });
    const controllers = all.filter(({ kind }) => kind === 'Deployment');
    expect(controllers.map((each) => [each.metadata.name, at(each, 'spec.replicas')])).toEqual([
      ['web', 2],
      ['web--1', 1],
    ]);
    const terms =
      'affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms.0.matchExpressions';
    expect(at(controllers[0], `${POD}.${terms}`)).toEqual([
      { key: 'kubernetes.io/hostname', operator: 'In', values: ['host-a'] },
      { key: 'nvidia.com/gpu.product', operator: 'In', values: ['NVIDIA-H100-80GB-HBM3'] },
    ]);
    expect(at(controllers[1], `${POD}.${terms}`)).toEqual([
      { key: 'kubernetes.io/hostname', operator: 'In', values: ['b'] },
    ]);
    expect(at(controllers[0], `${POD}.containers.0.resources.limits`)).toMatchObject({
      'nvidia.com/gpu': '2',
    });
    expect(at(controllers[0], `${POD}.tolerations`)).toEqual([
      { key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' },
    ]);
  });

  it('refuses a machine that has other GPUs than the lease is for', () => {
    const wrong = { a: { hostname: 'a', gpuProduct: 'NVIDIA-L4', gpuReplicas: null, gpuResources: [] } };
    expect(() => objectsOf({ services, placements }, { nodes: wrong })).toThrow(/NVIDIA-L4/);
  });

  it('refuses a lease that does not say where all replicas go', () => {
    expect(() => objectsOf({ services, placements: placements.slice(1) })).toThrow(/2 of 3 replicas/);
  });
});

describe('controllers', () => {
  it('are Deployments that never take more than is paid for', () => {
    expect(at(objectsOf({}).one('Deployment'), 'spec.strategy')).toEqual({ type: 'Recreate' });
  });

  it('are StatefulSets where data must outlive a pod', () => {
    const volumes = [
      disk({ kind: 'persistent', storageClass: 'beta3' }),
      disk({ name: 'Cache_1', mountPath: '/cache', readOnly: true }),
      disk({ name: 'shm', kind: 'ram', mountPath: '/dev/shm', sizeMiB: 64 }),
    ];
    const services = [serviceOf({ resources: resources({ volumes }) })];
    const { one } = objectsOf({ services }, { storageClasses: { beta3: 'fast-nvme' } });
    const set = one('StatefulSet');
    expect(at(set, 'spec.serviceName')).toBe(one('Service').metadata.name);
    expect(at(set, 'spec.volumeClaimTemplates')).toMatchObject([
      {
        metadata: { name: 'v0-data' },
        spec: { storageClassName: 'fast-nvme', resources: { requests: { storage: '1024Mi' } } },
      },
    ]);
    expect(at(set, `${POD}.volumes`)).toEqual([
      { name: 'v1-cache-1', emptyDir: { sizeLimit: '1024Mi' } },
      { name: 'v2-shm', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
    ]);
    expect(at(set, `${POD}.containers.0.volumeMounts`)).toEqual([
      { name: 'v0-data', mountPath: '/data' },
      { name: 'v1-cache-1', mountPath: '/cache', readOnly: true },
      { name: 'v2-shm', mountPath: '/dev/shm' },
    ]);
  });

  it('are Jobs that are tried once, for workloads that run to completion', () => {
    const volumes = [disk({ kind: 'persistent' })];
    const { one, all } = objectsOf({
      run: 'job',
      services: [serviceOf({ replicas: 2, resources: resources({ volumes }) })],
    });
    expect(at(one('Job'), 'spec')).toMatchObject({
      backoffLimit: 0,
      completions: 2,
      parallelism: 2,
      completionMode: 'Indexed',
    });
    expect(at(one('Job'), POD)).toMatchObject({ restartPolicy: 'Never', subdomain: 'web--hl' });
    expect(at(one('Job'), `${POD}.volumes.0`)).toHaveProperty('ephemeral.volumeClaimTemplate');
    expect(all.some(({ kind }) => kind === 'StatefulSet' || kind === 'Deployment')).toBe(false);
  });

  it('have names that leave room for what is put behind them', () => {
    const name = `s${'x'.repeat(62)}`;
    const { one } = objectsOf({ services: [serviceOf({ name })] });
    expect(one('Deployment').metadata.name.length).toBeLessThanOrEqual(48);
    expect(at(one('Deployment'), `${POD}.containers.0.name`)).toBe(name);
  });
});

describe('reaching a service', () => {
  const services = [
    serviceOf({
      ports: [
        port({ hosts: ['App.Example.com', 'mine.apps.example.net'] }),
        port({ containerPort: 9000, servicePort: 9000 }),
        port({ containerPort: 22, servicePort: 22, protocol: 'tcp' }),
        port({ containerPort: 53, servicePort: 53, protocol: 'udp' }),
      ],
    }),
  ];

  it('goes by routes for HTTP and by node ports for the rest', () => {
    const { lease, one } = objectsOf({ services });
    const id = lease.leaseId.slice(-16);
    const domain = `${lease.providerId.replace('_', '-')}.apps.example.net`;
    const rules = at(one('Ingress'), 'spec.rules') as { host: string }[];
    expect(rules.map(({ host }) => host)).toEqual([
      `web-${id}.${domain}`,
      'app.example.com',
      `web-9000-${id}.${domain}`,
    ]);
    expect(at(one('Service', 'web--np'), 'spec')).toMatchObject({
      type: 'NodePort',
      ports: [
        { port: 22, protocol: 'TCP' },
        { port: 53, protocol: 'UDP' },
      ],
    });
    expect((at(one('Service', 'web'), 'spec.ports') as unknown[]).length).toBe(4);
    const endpoints = endpointsOf(lease, objectOptions(), (service, servicePort) =>
      service === 'web--np' && servicePort === 22 ? 30_022 : null,
    );
    expect(endpoints).toEqual([
      { service: 'web', port: 80, url: `http://web-${id}.${domain}` },
      { service: 'web', port: 80, url: 'http://app.example.com' },
      { service: 'web', port: 9000, url: `http://web-9000-${id}.${domain}` },
      { service: 'web', port: 22, url: `tcp://${id}.${domain}:30022` },
    ]);
  });

  it('needs no Service where nothing is exposed', () => {
    expect(objectsOf({}).all.some(({ kind }) => kind === 'Service' || kind === 'Ingress')).toBe(false);
  });
});
