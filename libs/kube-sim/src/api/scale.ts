import { badRequest, notFound } from './status.ts';
import type { ResourceKind } from '../kinds.ts';
import type { Deployment, Fields, KubeObject } from '../objects.ts';
import type { ResourceWriter } from './writer.ts';

const view = (object: Deployment): object => ({
  kind: 'Scale',
  apiVersion: 'autoscaling/v1',
  metadata: {
    name: object.metadata.name,
    namespace: object.metadata.namespace,
    uid: object.metadata.uid,
    resourceVersion: object.metadata.resourceVersion,
    creationTimestamp: object.metadata.creationTimestamp,
  },
  spec: { replicas: object.spec.replicas ?? 1 },
  status: {
    replicas: object.status?.['replicas'] ?? 0,
    selector: Object.entries(object.spec.selector.matchLabels ?? {})
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
  },
});

/** The `/scale` subresource: reads the count of replicas, or sets it. */
export const scaleOf = (
  writer: ResourceWriter,
  kind: ResourceKind,
  namespace: string | undefined,
  name: string,
  body: unknown,
  manager: string,
): object => {
  const object = writer.store.get<Deployment>(kind, namespace, name);
  if (!object) throw notFound(kind, name);
  if (body === undefined) return view(object);
  const operations = Array.isArray(body) ? (body as { path?: string; value?: unknown }[]) : [];
  const asked =
    operations.find((each) => each.path === '/spec/replicas')?.value ??
    ((body as Fields)['spec'] as Fields | undefined)?.['replicas'];
  if (!Number.isInteger(asked) || (asked as number) < 0)
    throw badRequest('spec.replicas must be an integer of at least 0');
  const scaled = { ...object, spec: { ...object.spec, replicas: asked as number } } as KubeObject;
  return view(writer.update(kind, namespace, name, { object: scaled }, { manager }));
};
