import type { ObjectOptions } from '../../src/domain/objects/object-types.ts';

export const objectOptions = (change: Partial<ObjectOptions> = {}): ObjectOptions => ({
  managedBy: 'gridbourse',
  ingressDomain: 'apps.example.net',
  ingressClassName: 'nginx',
  ingressNamespace: 'ingress-nginx',
  runtimeClassName: null,
  priorityClassName: null,
  hardening: 'baseline',
  userNamespaces: false,
  terminationGraceSeconds: 30,
  storageClasses: {},
  nodes: {},
  ...change,
});
