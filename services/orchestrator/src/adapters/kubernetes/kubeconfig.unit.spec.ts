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
  it('opens the way with the credentials that are in it', () => {
    const access = clusterAccess(config({ server }));
    expect(access.server).toBe('https://10.1.2.3:6443');
    expect(access.headers).toEqual({ authorization: 'Bearer secret-token' });
    const basic = clusterAccess(config({ server }, { username: 'me', password: 'pass' }));
    expect(basic.headers).toEqual({ authorization: `Basic ${btoa('me:pass')}` });
    expect(clusterAccess(config({ server }, {})).headers).toEqual({});
  });

  it('proves itself by certificate, and demands the proof of the server', () => {
    const tls = (cluster: object, user: object = {}) =>
      (clusterAccess(config({ server, ...cluster }, user)).agent as Agent).options;
    const given = tls(
      { 'certificate-authority-data': btoa('authority'), 'tls-server-name': 'api.example' },
      { 'client-certificate-data': btoa('certificate'), 'client-key-data': btoa('key') },
    );
    expect(given).toMatchObject({
      ca: Buffer.from('authority'),
      cert: Buffer.from('certificate'),
      key: Buffer.from('key'),
      servername: 'api.example',
    });
    for (const options of [given, tls({}), tls({ 'insecure-skip-tls-verify': false })])
      expect(options.rejectUnauthorized).not.toBe(false);
    expect(tls({ 'insecure-skip-tls-verify': true }).rejectUnauthorized).toBe(false);
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
  ])('brings in no %s', (_, cluster, user) => {
    expect(() => clusterAccess(config(cluster, user))).toThrow(
      expect.objectContaining({ code: 'invalid_kubeconfig' }),
    );
  });

  it('speaks without TLS to this machine only', () => {
    expect(clusterAccess(config({ server: 'http://127.0.0.1:8001' }))).toBeDefined();
    expect(() => clusterAccess(config({ server: 'http://kubernetes.example.com' }))).toThrow(/TLS/);
  });

  it('never shows what is in it when it cannot be read', () => {
    const read = () => clusterAccess('token: [secret-token');
    expect(read).toThrow('is not YAML');
    expect(read).not.toThrow('secret-token');
  });
});
