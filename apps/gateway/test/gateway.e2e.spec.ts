import { freePort } from '@gridbourse/infra';
import { eventually } from '@gridbourse/testing';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

// Real here: the built program in a process of its own. The service behind it is a small server.

jest.setTimeout(60_000);
const PATIENT = { deadlineMs: 30_000 };
const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

const children: ChildProcess[] = [];
const servers: Server[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

const start = (env: Record<string, string>) => {
  const child = spawn(process.execPath, [MAIN], { env: { ...process.env, NODE_OPTIONS: '', ...env } });
  children.push(child);
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) =>
    child.once('exit', (code) => resolve({ code, stderr })),
  );
  return { child, ended };
};

const serviceBehind = async (): Promise<string> => {
  const answers: Record<string, unknown> = {
    '/service.json': { name: 'billing', publicPaths: ['/v1/books'], grpcPackages: [], grpcPort: null },
    '/openapi.json': { openapi: '3.1.0', info: { title: 'b', version: '1' }, paths: { '/v1/books': {} } },
    '/health/ready': { status: 'ready', checks: {} },
  };
  const server = createServer((request, response) =>
    response.end(JSON.stringify(answers[request.url!] ?? { asked: request.url })),
  );
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

describe('the gateway as a process of its own', () => {
  it('is one origin, for REST and for gRPC, and ends in order when it is told to', async () => {
    const [port, grpcPort] = [await freePort(), await freePort()];
    const { child, ended } = start({
      GRIDBOURSE_GATEWAY_HOST: '127.0.0.1',
      GRIDBOURSE_GATEWAY_PORT: String(port),
      GRIDBOURSE_GATEWAY_GRPC_PORT: String(grpcPort),
      GRIDBOURSE_GATEWAY_SERVICES: JSON.stringify({ billing: await serviceBehind() }),
      GRIDBOURSE_GATEWAY_LINKS: '{"console":"http://console"}',
    });
    await eventually(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/v1/books/7`);
      expect(await answer.json()).toEqual({ asked: '/v1/books/7' });
    }, PATIENT);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).json()).toMatchObject({
      console: 'http://console',
    });
    const session = connect(`http://127.0.0.1:${grpcPort}`);
    session.on('error', () => undefined);
    const status = await new Promise((resolve) => {
      const call = session.request({ ':method': 'POST', ':path': '/nobody.v1.Nothing/Do' });
      call.on('response', (headers) => resolve(headers['grpc-status']));
      call.end();
    });
    expect(status).toBe('12');
    session.destroy();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
    await expect(fetch(`http://127.0.0.1:${port}/health/live`)).rejects.toThrow();
  });

  it('says all that is wrong with its configuration, and does not start', async () => {
    const { ended } = start({ GRIDBOURSE_GATEWAY_PORT: '0', GRIDBOURSE_GATEWAY_SERVICES: '{}' });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('port');
    expect(stderr).toContain('at least one service');
    expect(stderr).not.toMatch(/^ {4}at /m);
  });

  it('says when its port is taken, and does not start', async () => {
    const taken = Number(new URL(await serviceBehind()).port);
    const { ended } = start({
      GRIDBOURSE_GATEWAY_HOST: '127.0.0.1',
      GRIDBOURSE_GATEWAY_PORT: String(taken),
      GRIDBOURSE_GATEWAY_GRPC_PORT: String(await freePort()),
      GRIDBOURSE_GATEWAY_SERVICES: '{"billing":"http://127.0.0.1:1"}',
    });
    const { code, stderr } = await ended;
    expect(code).toBe(1);
    expect(stderr).toContain('EADDRINUSE');
  });
});
