import type { Clock } from '@gridbourse/kernel';
import { NAMESPACES, PODS, type ResourceKind, SERVICE_ACCOUNTS } from '../kinds.ts';
import type { Fields, KubeObject, Namespace } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';
import { listObjects } from './list.ts';
import { patchObject } from './patch.ts';
import type { Route } from './route.ts';
import { scaleOf } from './scale.ts';
import { matcherOf } from './selectors.ts';
import { badRequest, methodNotAllowed, noSuchPath, notFound, success } from './status.ts';
import { type DeleteOptions, randomSuffix, type ResourceWriter } from './writer.ts';

export type Answer = { status: number; body: unknown };

/** A request for a resource, apart from HTTP. */
export type Operation = Route & {
  method: string;
  query: URLSearchParams;
  contentType: string;
  body: unknown;
  userAgent: string;
};

const ok = (body: unknown, status = 200): Answer => ({ status, body });

/** What the verbs do to resources and their subresources. */
export class Operations {
  private readonly store: ObjectStore;
  private readonly writer: ResourceWriter;
  private readonly clock: Clock;

  constructor(writer: ResourceWriter, clock: Clock) {
    this.store = writer.store;
    this.writer = writer;
    this.clock = clock;
  }

  /** @throws ApiError for every refusal */
  perform(operation: Operation): Answer {
    return operation.name === undefined
      ? this.onCollection(operation)
      : this.onObject(operation, operation.name);
  }

  private onCollection(operation: Operation): Answer {
    const { method, kind, namespace, query, body } = operation;
    if (method === 'GET') return ok(listObjects(this.store, kind, namespace, query));
    if (kind.namespaced && namespace === undefined) throw methodNotAllowed();
    if (method === 'POST') return ok(this.writer.create(kind, namespace, body, by(operation)), 201);
    if (method === 'DELETE') return ok(this.removeCollection(operation));
    throw methodNotAllowed();
  }

  private onObject(operation: Operation, name: string): Answer {
    const { method, kind, namespace, subresource, query, body } = operation;
    if (subresource === 'scale' && kind.scaleSubresource) {
      return ok(scaleOf(this.writer, kind, namespace, name, body, by(operation).manager));
    }
    if (subresource !== undefined && !(subresource === 'status' && kind.statusSubresource)) {
      return this.special(operation, name);
    }
    if (method === 'GET') return ok(this.existing(kind, namespace, name));
    if (method === 'PUT') {
      const options = { ...by(operation), subresource };
      return ok(this.writer.update(kind, namespace, name, { object: body as Fields }, options));
    }
    if (method === 'PATCH') return this.patch(operation, name);
    if (method === 'DELETE' && subresource === undefined) {
      return ok(this.remove(kind, namespace, name, deleteOptions(kind, query, body)));
    }
    throw methodNotAllowed();
  }

  private patch(operation: Operation, name: string): Answer {
    const { kind, namespace, subresource, contentType, body, query } = operation;
    const { object, created } = patchObject(this.writer, {
      ...{ kind, namespace, name, subresource, contentType, body },
      ...by(operation),
      managerGiven: (query.get('fieldManager') ?? '') !== '',
      force: query.get('force') === 'true',
      nowMs: this.clock.now(),
    });
    return ok(object, created ? 201 : 200);
  }

  private remove(
    kind: ResourceKind,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions,
  ): unknown {
    const { uid } = this.existing(kind, namespace, name).metadata;
    const left = this.writer.remove(kind, namespace, name, options);
    if (left) return left;
    return success({ name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural, uid });
  }

  private removeCollection({ kind, namespace, query, body }: Operation): unknown {
    const items = this.store.list(kind, namespace).filter(matcherOf(kind, query));
    const options = deleteOptions(kind, query, body);
    for (const { metadata } of items) this.writer.remove(kind, metadata.namespace, metadata.name, options);
    return { ...listObjects(this.store, kind, namespace, new URLSearchParams()), items };
  }

  /** Subresources that are no view of their object. */
  private special({ method, kind, namespace, subresource, body }: Operation, name: string): Answer {
    const object = this.existing(kind, namespace, name);
    if (kind === PODS && subresource === 'eviction' && method === 'POST') {
      this.writer.remove(kind, namespace, name);
      return ok(success({ name, kind: 'pods' }), 201);
    }
    if (kind === NAMESPACES && subresource === 'finalize' && method === 'PUT') {
      const finalizers = (body as Namespace | undefined)?.spec?.finalizers ?? [];
      return ok(this.store.put(kind, { ...object, spec: { finalizers } } as KubeObject));
    }
    if (kind === SERVICE_ACCOUNTS && subresource === 'token' && method === 'POST') {
      const expirationTimestamp = new Date(this.clock.now() + 3_600_000).toISOString();
      const token = `${object.metadata.uid}.${randomSuffix(24)}`;
      const identity = { kind: 'TokenRequest', apiVersion: 'authentication.k8s.io/v1', metadata: {} };
      return ok({ ...(body as object), ...identity, status: { token, expirationTimestamp } }, 201);
    }
    throw noSuchPath();
  }

  private existing(kind: ResourceKind, namespace: string | undefined, name: string): KubeObject {
    const object = this.store.get(kind, namespace, name);
    if (!object) throw notFound(kind, name);
    return object;
  }
}

/** Whose fields a write owns: the named manager, else the first word of the user agent. */
const by = ({ query, userAgent }: Operation): { manager: string; dryRun: boolean } => ({
  manager: query.get('fieldManager') ?? userAgent.split('/')[0]!,
  dryRun: query.get('dryRun') === 'All',
});

const deleteOptions = (kind: ResourceKind, query: URLSearchParams, body: unknown): DeleteOptions => {
  const given = (body ?? {}) as DeleteOptions & { dryRun?: string[]; orphanDependents?: boolean };
  const grace = query.get('gracePeriodSeconds') ?? given.gracePeriodSeconds;
  const seconds = grace === undefined || grace === null ? undefined : Number(grace);
  if (seconds !== undefined && !Number.isInteger(seconds))
    throw badRequest('gracePeriodSeconds must be an integer');
  const orphan = query.get('orphanDependents') === 'true' || given.orphanDependents === true;
  const policy = (query.get('propagationPolicy') ??
    given.propagationPolicy ??
    (orphan ? 'Orphan' : undefined)) as DeleteOptions['propagationPolicy'] | undefined;
  if (policy !== undefined && !['Orphan', 'Background', 'Foreground'].includes(policy)) {
    throw badRequest(`invalid propagationPolicy "${policy}"`);
  }
  return {
    gracePeriodSeconds: seconds,
    // The batch API keeps its oldest habit: without a policy the pods of a job stay.
    propagationPolicy: policy ?? (kind.group === 'batch' ? 'Orphan' : undefined),
    preconditions: given.preconditions,
    dryRun: query.get('dryRun') === 'All' || given.dryRun?.includes('All') === true,
  };
};
