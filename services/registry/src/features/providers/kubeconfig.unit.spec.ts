import type { DomainError } from '@gridbourse/kernel';
import { describe, expect, it } from '@jest/globals';
import { apiServerOf } from './kubeconfig.ts';

const good = `
apiVersion: v1
kind: Config
current-context: main
contexts: [{ name: main, context: { cluster: here, user: me } }]
clusters: [{ name: here, cluster: { server: "https://10.1.2.3:6443", certificate-authority-data: QQ== } }]
users: [{ name: me, user: { token: secret } }]
`;

const faults = (text: string): string[] => {
  try {
    apiServerOf(text);
    return [];
  } catch (error) {
    expect((error as DomainError).code).toBe('invalid_kubeconfig');
    return (error as DomainError).faults.map((fault) => fault.pointer);
  }
};

describe('a kubeconfig', () => {
  it('tells the API server of its current context, in YAML and in JSON', () => {
    expect(apiServerOf(good)).toBe('https://10.1.2.3:6443');
    const json = {
      'current-context': 'b',
      contexts: [
        { name: 'a', context: { cluster: 'one' } },
        { name: 'b', context: { cluster: 'two' } },
      ],
      clusters: [
        { name: 'one', cluster: { server: 'http://127.0.0.1:1' } },
        { name: 'two', cluster: { server: 'http://127.0.0.1:2' } },
      ],
    };
    expect(apiServerOf(JSON.stringify(json))).toBe('http://127.0.0.1:2');
  });

  it.each([
    ['no YAML', 'a: [', ['/kubeconfig']],
    ['text', 'hello', ['/kubeconfig']],
    ['no cluster', good.replace(/clusters:.*/, 'clusters: []'), ['/kubeconfig/clusters']],
    ['no server', good.replace('server:', 'address:'), ['/kubeconfig/clusters/0/cluster/server']],
    [
      'a server that is no URL',
      good.replace('https://10.1.2.3:6443', 'nowhere'),
      ['/kubeconfig/clusters/0/cluster/server'],
    ],
    [
      'a file as server',
      good.replace('https://10.1.2.3:6443', 'file:///etc/passwd'),
      ['/kubeconfig/clusters/0/cluster/server'],
    ],
    [
      'an unknown context',
      good.replace('current-context: main', 'current-context: other'),
      ['/kubeconfig/current-context'],
    ],
    [
      'a program to run',
      good.replace('token: secret', 'exec: { command: sh }'),
      ['/kubeconfig/users/0/user/exec'],
    ],
    [
      'a file to read',
      good.replace('token: secret', 'tokenFile: /etc/shadow'),
      ['/kubeconfig/users/0/user/tokenFile'],
    ],
    [
      'a certificate file',
      good.replace('certificate-authority-data', 'certificate-authority'),
      ['/kubeconfig/clusters/0/cluster/certificate-authority'],
    ],
    ['aliases', `${good}\nx: &a [1]\ny: [*a, *a]`, ['/kubeconfig']],
    ['far too much', `${good}\n# ${'x'.repeat(300_000)}`, ['/kubeconfig']],
  ])('%s is refused', (_, text, pointers) => {
    expect(faults(text)).toEqual(pointers);
  });
});
