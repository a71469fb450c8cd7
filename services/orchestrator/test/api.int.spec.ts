import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { eventually } from '@gridbourse/testing';
import { SECRETS } from '@gridbourse/kube-sim';
import { namespaceOf } from '../src/domain/objects/names.ts';
import { newOrderId, serviceOf } from './support/fixtures.ts';
import { Harness } from './support/harness.ts';

const PLANTED = 'planted-secret-value-7f3a';

jest.setTimeout(60_000);

// Real: service, Postgres, bus, HTTP. The cluster is kube-sim.
describe('what a tenant sees of its workload', () => {
  let harness: Harness;
  let tenant: Awaited<ReturnType<Harness['account']>>;
  let leaseId: Awaited<ReturnType<Harness['run']>>['leaseId'];

  beforeAll(async () => {
    harness = await Harness.start();
    await harness.attachCluster();
    tenant = await harness.account();
    const orderId = newOrderId();
    const secrets = await harness.sealed(
      { services: { web: { env: { TOKEN: PLANTED }, imageCredentials: null } } },
      orderId,
    );
    const port = {
      containerPort: 8080,
      servicePort: 80,
      global: true,
      services: [],
      hosts: ['app.example.com'],
    };
    const services = [
      serviceOf({
        command: ['sh', '-c', 'echo hello; sleep infinity'],
        envNames: ['TOKEN'],
        ports: [
          { ...port, protocol: 'http' },
          { ...port, containerPort: 22, servicePort: 22, protocol: 'tcp', hosts: [] },
        ],
      }),
    ];
    ({ leaseId } = await harness.run({ accountId: tenant.accountId, orderId, secrets, services }));
    await harness.until(leaseId, 'WorkloadRunning');
  });
  afterAll(() => harness.close());

  it('shows what is wanted and what is seen', async () => {
    const { status, body } = await harness.get(`/v1/workloads/${leaseId}`, tenant.headers);
    expect([status, body]).toEqual([200, expect.any(String)]);
    expect(JSON.parse(body)).toMatchObject({
      leaseId,
      namespace: namespaceOf(leaseId),
      desired: 'running',
      observed: 'running',
      services: [{ name: 'web', replicas: 1, ready: 1 }],
      failure: null,
      provenAbsentAt: null,
      endpoints: [
        { service: 'web', port: 80, url: expect.stringMatching(/^http:\/\/web-/) },
        { service: 'web', port: 80, url: 'http://app.example.com' },
        { service: 'web', port: 22, url: expect.stringMatching(/^tcp:\/\/.+:\d+$/) },
      ],
    });
  });

  it('gives its log as text, whole or its end', async () => {
    const whole = await harness.get(`/v1/workloads/${leaseId}/logs`, tenant.headers);
    expect(whole.status).toBe(200);
    expect(whole.body).toContain('hello');
    const last = await harness.get(`/v1/workloads/${leaseId}/logs?service=web&tail=1`, tenant.headers);
    expect(last.body.trim().split('\n')).toHaveLength(1);
    const wrong = await harness.get(`/v1/workloads/${leaseId}/logs?service=db`, tenant.headers);
    expect(wrong.status).toBe(404);
  });

  it('tells what its cluster tells', async () => {
    const { body } = await harness.get(`/v1/workloads/${leaseId}/events`, tenant.headers);
    const { items } = JSON.parse(body) as { items: { reason: string }[] };
    expect(items.map(({ reason }) => reason)).toEqual(expect.arrayContaining(['Scheduled', 'Started']));
  });

  it('is described for those who program against it', () => {
    const paths = Object.keys(harness.service.openApi().paths);
    for (const path of ['', '/logs', '/events']) expect(paths).toContain(`/v1/workloads/{leaseId}${path}`);
  });

  it('is nothing to anybody else', async () => {
    const stranger = await harness.account();
    for (const path of ['', '/logs', '/events']) {
      const { status, body } = await harness.get(`/v1/workloads/${leaseId}${path}`, stranger.headers);
      expect([status, JSON.parse(body)]).toEqual([
        404,
        expect.objectContaining({ code: 'workload_not_found' }),
      ]);
      expect((await harness.get(`/v1/workloads/${leaseId}${path}`)).status).toBe(401);
    }
    expect((await harness.get('/v1/workloads/nonsense', tenant.headers)).status).toBe(404);
  });

  it('keeps secrets in the cluster alone, and only while they are needed', async () => {
    const held = harness.sim.store.list(SECRETS, namespaceOf(leaseId));
    expect(JSON.stringify(held)).toContain(Buffer.from(PLANTED).toString('base64'));
    const pods = JSON.stringify(harness.pods(leaseId));
    expect(pods).not.toContain(PLANTED);
    const followed = await harness.follow(`/v1/workloads/${leaseId}/logs?follow=true`, tenant.headers);
    await harness.closeLease(leaseId);
    await harness.until(leaseId, 'WorkloadTerminated');
    const body = await followed.whole;
    expect(body).toMatch(/^id: \d+\ndata: hello$/m);
    expect(body).toContain('event: end');
    const stored = await eventually(async () => {
      const text = await harness.dump();
      expect(text).not.toContain('"ciphertext"');
      return text;
    });
    expect(stored).not.toContain(PLANTED);
    expect(JSON.stringify(harness.events)).not.toContain(PLANTED);
    const after = await harness.get(`/v1/workloads/${leaseId}`, tenant.headers);
    expect(JSON.parse(after.body)).toMatchObject({
      observed: 'absent',
      desired: 'absent',
      provenAbsentAt: expect.any(String),
    });
    expect((await harness.get(`/v1/workloads/${leaseId}/logs`, tenant.headers)).status).toBe(404);
  });
});
