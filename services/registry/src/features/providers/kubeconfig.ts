import { type Fault, invalid } from '@gridbourse/kernel';
import { parseDocument } from 'yaml';
import { z } from 'zod';

/** Far more than a kubeconfig with certificates needs. */
export const MAX_KUBECONFIG_BYTES = 262_144;

const named = <T extends z.ZodRawShape>(part: string, shape: T) =>
  z.array(z.looseObject({ name: z.string(), [part]: z.looseObject(shape) })).max(100);

const kubeconfig = z.looseObject({
  'current-context': z.string().min(1).optional(),
  contexts: named('context', { cluster: z.string(), user: z.string().optional() }).default([]),
  clusters: named('cluster', { server: z.url({ protocol: /^https?$/ }) }).min(1),
  users: named('user', {}).default([]),
});

/**
 * Fields that make a client run a program or read a file of the machine it runs on. Whoever uses this kubeconfig is the
 * platform, not the provider.
 */
const FOREIGN_FIELDS = new Set([
  'exec',
  'auth-provider',
  'tokenFile',
  'client-certificate',
  'client-key',
  'certificate-authority',
]);

type Part = { name: string } & Record<string, unknown>;

const foreignFields = (parts: readonly Part[], list: 'clusters' | 'users'): Fault[] =>
  parts.flatMap((part, index) => {
    const key = list === 'clusters' ? 'cluster' : 'user';
    const fields = Object.keys(part[key] ?? {}).filter((field) => FOREIGN_FIELDS.has(field));
    return fields.map((field) => ({
      pointer: `/kubeconfig/${list}/${index}/${key}/${field}`,
      message: 'must be given inline (…-data, token): nothing outside this file can be used',
    }));
  });

const refuse = (faults: Fault[]): Error =>
  invalid('invalid_kubeconfig', `the kubeconfig cannot be used: ${faults[0]!.message}`, faults);

const read = (text: string): unknown => {
  // No aliases and no merge keys: a kubeconfig needs none, and a few lines of them can fill the memory.
  const document = parseDocument(text, { merge: false, uniqueKeys: true });
  const [error] = document.errors;
  if (error) {
    const place = error.linePos?.[0];
    const at = place ? { line: place.line, column: place.col } : {};
    throw refuse([{ pointer: '/kubeconfig', message: error.message.split('\n')[0]!.slice(0, 300), ...at }]);
  }
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    throw refuse([{ pointer: '/kubeconfig', message: 'aliases are not allowed' }]);
  }
};

/**
 * Checks that a text is a kubeconfig that stands on its own.
 * @returns the URL of the API server of its current context
 * @throws DomainError `invalid_kubeconfig` with the place of every fault
 */
export const apiServerOf = (text: string): string => {
  if (Buffer.byteLength(text) > MAX_KUBECONFIG_BYTES) {
    throw refuse([{ pointer: '/kubeconfig', message: `larger than ${MAX_KUBECONFIG_BYTES} bytes` }]);
  }
  const parsed = kubeconfig.safeParse(read(text));
  if (!parsed.success) {
    throw refuse(
      parsed.error.issues.map((issue) => ({
        pointer: ['/kubeconfig', ...issue.path].join('/'),
        message: issue.message,
      })),
    );
  }
  const { contexts, clusters, users } = parsed.data;
  const faults = [
    ...foreignFields(clusters as Part[], 'clusters'),
    ...foreignFields(users as Part[], 'users'),
  ];
  if (faults.length > 0) throw refuse(faults);
  const current = parsed.data['current-context'];
  const context = (contexts as Part[]).find((candidate) => candidate.name === current);
  const clusterName = (context?.['context'] as { cluster?: string } | undefined)?.cluster;
  const cluster = (clusters as Part[]).find((candidate) => candidate.name === clusterName);
  if (!cluster) {
    throw refuse([
      {
        pointer: '/kubeconfig/current-context',
        message: 'expected the name of a context whose cluster is in this file',
      },
    ]);
  }
  return (cluster['cluster'] as { server: string }).server;
};
