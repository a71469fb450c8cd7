import { describe, expect, it } from '@jest/globals';
import type { Agent } from 'node:https';
import { clusterAccess } from './kubeconfig.ts';

const config = (cluster: object, user: object = { token: 'secret-token' }): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
const server = 'https://10.1.2.3:6443/';

describe('a kubeconfig of a stranger', () => {
  it('opens the way with the credentials that are in it', async () => {
    const access = await clusterAccess(config({ server }));
    expect(access.server).toBe('https://10.1.2.3:6443');
    expect(access.headers).toEqual({ authorization: 'Bearer secret-token' });
    const basic = await clusterAccess(config({ server }, { username: 'me', password: 'pass' }));
    expect(basic.headers).toEqual({ authorization: `Basic ${btoa('me:pass')}` });
    expect((await clusterAccess(config({ server }, {}))).headers).toEqual({});
  });

  it('proves itself by certificate, and demands the proof of the server', async () => {
    const tls = async (cluster: object, user: object = {}) =>
      ((await clusterAccess(config({ server, ...cluster }, user))).agent as Agent).options;
    const given = await tls(
      { 'certificate-authority-data': btoa('authority'), 'tls-server-name': 'api.example' },
      { 'client-certificate-data': btoa('certificate'), 'client-key-data': btoa('key') },
    );
    expect([given.ca, given.cert, given.key].map(String)).toEqual(['authority', 'certificate', 'key']);
    expect(given.servername).toBe('api.example');
    for (const options of [given, await tls({}), await tls({ 'insecure-skip-tls-verify': false })])
      expect(options.rejectUnauthorized).not.toBe(false);
    expect((await tls({ 'insecure-skip-tls-verify': true })).rejectUnauthorized).toBe(false);
  });

  it.each([
    ['a command', { server }, { exec: { command: 'sh', apiVersion: 'v1' } }],
    ['a plugin', { server }, { 'auth-provider': { name: 'gcp' } }],
    ['a file of ours as token', { server }, { tokenFile: '/etc/passwd' }],
    ['a file of ours as token (old form)', { server }, { 'token-file': '/etc/passwd' }],
    ['a file of ours as key', { server }, { 'client-key': '/etc/ssl/key.pem' }],
    ['a file of ours as authority', { server, 'certificate-authority': '/etc/ssl/ca.pem' }, {}],
    ['a way round', { server, 'proxy-url': 'http://10.0.0.1:3128' }, {}],
    ['an impersonation', { server }, { as: 'system:admin' }],
  ])('brings in no %s', async (_, cluster, user) => {
    await expect(clusterAccess(config(cluster, user))).rejects.toMatchObject({ code: 'invalid_kubeconfig' });
  });

  it('speaks without TLS to this machine only', async () => {
    await expect(clusterAccess(config({ server: 'http://127.0.0.1:8001' }))).resolves.toBeDefined();
    await expect(clusterAccess(config({ server: 'http://kubernetes.example.com' }))).rejects.toThrow(/TLS/);
  });

  it('never shows what is in it when it cannot be read', async () => {
    const failure = await clusterAccess('token: [secret-token').catch((error: Error) => error.message);
    expect(failure).not.toContain('secret-token');
  });
});
