import { randomBytes, randomUUID } from 'node:crypto';
import { canonicalJson, type Clock } from '@gridbourse/kernel';
import { apiVersionOf, NAMESPACES, NODES, PODS, type ResourceKind } from '../kinds.ts';
import {
  type Fields,
  kubeTime,
  type KubeObject,
  type ManagedFields,
  type Namespace,
  type ObjectMeta,
  type Pod,
} from '../objects.ts';
import { admit } from '../admission/admit.ts';
import { withDefaults } from '../admission/defaults.ts';
import { validate } from '../admission/validation.ts';
import { trackUpdate } from '../patch/managed-fields.ts';
import type { ObjectStore } from '../storage/store.ts';
import {
  ApiError,
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  MODIFIED,
  notFound,
  unprocessable,
} from './status.ts';

export type WriteOptions = {
  /** Whose fields these are; absent for the cluster's own controllers, whose writes nobody has to own. */
  manager?: string | undefined;
  dryRun?: boolean | undefined;
};

export type DeleteOptions = WriteOptions & {
  gracePeriodSeconds?: number | undefined;
  propagationPolicy?: 'Orphan' | 'Background' | 'Foreground' | undefined;
  preconditions?: { uid?: string; resourceVersion?: string } | undefined;
};

/** What PUT, patches and apply hand in: a whole object, and managed fields if they were computed already. */
export type Replacement = { object: Fields; managedFields?: ManagedFields[] };

const SUFFIX = 'bcdfghjklmnpqrstvwxz2456789';

export const randomSuffix = (length = 5): string =>
  [...randomBytes(length)].map((byte) => SUFFIX[byte % SUFFIX.length]).join('');

const asMeta = (metadata: unknown): Partial<ObjectMeta> =>
  metadata !== null && typeof metadata === 'object' ? metadata : {};

/** Every write, from outside or from a controller, comes through here: identity, defaults, validation, admission. */
export class ResourceWriter {
  readonly store: ObjectStore;
  private readonly clock: Clock;

  constructor(store: ObjectStore, clock: Clock) {
    this.store = store;
    this.clock = clock;
  }

  /** @throws ApiError 400, 403, 404 (namespace), 409 (exists), 422 */
  create<T extends KubeObject>(
    kind: ResourceKind,
    namespace: string | undefined,
    body: unknown,
    options: WriteOptions & Partial<Replacement> = {},
  ): T {
    const given = this.checkedBody(kind, namespace, body);
    const asked = asMeta(given['metadata']);
    const name = asked.name || (asked.generateName ? `${asked.generateName}${randomSuffix()}` : '');
    if (name === '') {
      throw unprocessable(kind, '', [
        {
          reason: 'FieldValueRequired',
          field: 'metadata.name',
          message: 'Required value: name or generateName is required',
        },
      ]);
    }
    if (asked.resourceVersion) throw badRequest('resourceVersion should not be set on objects to be created');
    this.checkNamespace(kind, namespace, name);
    if (this.store.get(kind, namespace, name)) throw alreadyExists(kind, name);
    const metadata: ObjectMeta = {
      ...pickMeta(asked),
      ...(kind.namespaced ? { namespace: namespace! } : {}),
      name,
      uid: randomUUID(),
      resourceVersion: '',
      creationTimestamp: kubeTime(this.clock.now()),
      ...(given['spec'] === undefined ? {} : { generation: 1 }),
    };
    const { status, ...rest } = given;
    const keepStatus = kind === NODES || !kind.statusSubresource;
    const raw = {
      ...rest,
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      ...(keepStatus && status !== undefined ? { status } : {}),
      metadata,
    } as unknown as KubeObject;
    const complete = admit(this.store, kind, withDefaults(kind, raw), null);
    this.refuseFaults(kind, complete, null);
    const managedFields =
      options.managedFields ??
      (options.manager === undefined ? undefined : trackUpdate(null, complete, this.by(options.manager)));
    const made = managedFields?.length ? withMeta(complete, { managedFields }) : complete;
    return (options.dryRun ? made : this.store.put(kind, made)) as T;
  }

  /**
   * Replaces the object, or its status alone. A write that changes nothing leaves the resource version as it is.
   * @throws ApiError 404, 409 when `resourceVersion` is given and not the newest, 422
   */
  update<T extends KubeObject>(
    kind: ResourceKind,
    namespace: string | undefined,
    name: string,
    replacement: Replacement,
    options: WriteOptions & { subresource?: string | undefined } = {},
  ): T {
    const before = this.store.get(kind, namespace, name);
    if (!before) throw notFound(kind, name);
    const given = this.checkedBody(kind, namespace, replacement.object);
    const asked = asMeta(given['metadata']);
    if (asked.name !== undefined && asked.name !== name) {
      throw badRequest(`the name of the object (${asked.name}) does not match the name on the URL (${name})`);
    }
    if (asked.resourceVersion && asked.resourceVersion !== before.metadata.resourceVersion) {
      throw conflict(kind, name, MODIFIED);
    }
    if (asked.uid && asked.uid !== before.metadata.uid) {
      throw conflict(
        kind,
        name,
        `Precondition failed: UID in precondition: ${asked.uid}, UID in object meta: ${before.metadata.uid}`,
      );
    }
    const after = this.merged(kind, before, given, options.subresource);
    const own = replacement.managedFields;
    const tracked =
      own ??
      (options.manager === undefined || sameBut(before, after)
        ? before.metadata.managedFields
        : trackUpdate(before, after, this.by(options.manager, options.subresource)));
    const complete = withMeta(after, tracked?.length ? { managedFields: tracked } : {});
    if (canonicalJson(complete) === canonicalJson(before)) return before as T;
    if (options.dryRun) return complete as T;
    if (complete.metadata.deletionTimestamp !== undefined && isDeletable(kind, complete)) {
      this.store.remove(kind, namespace, name);
      return complete as T;
    }
    return this.store.put(kind, complete) as T;
  }

  /** A controller's write of the status; skips what a client's write must pass. */
  putStatus<T extends KubeObject>(kind: ResourceKind, object: T, status: object): T {
    const current = this.store.get<T & { status?: unknown }>(
      kind,
      object.metadata.namespace,
      object.metadata.name,
    );
    if (!current || current.metadata.uid !== object.metadata.uid) return object;
    if (canonicalJson(current.status ?? null) === canonicalJson(status)) return current;
    return this.store.put(kind, { ...current, status });
  }

  /** A controller's write of anything else. */
  put<T extends KubeObject>(kind: ResourceKind, object: T): T {
    return this.store.put(kind, object);
  }

  /**
   * Deletes, or starts the deletion of what goes gracefully: pods, namespaces, and objects with finalizers. Returns
   * the object when it is still there afterwards, null when it is gone.
   */
  remove(
    kind: ResourceKind,
    namespace: string | undefined,
    name: string,
    options: DeleteOptions = {},
  ): KubeObject | null {
    const object = this.store.get(kind, namespace, name);
    if (!object) throw notFound(kind, name);
    const { preconditions } = options;
    if (preconditions?.uid && preconditions.uid !== object.metadata.uid) {
      throw conflict(
        kind,
        name,
        `Precondition failed: UID in precondition: ${preconditions.uid}, UID in object meta: ${object.metadata.uid}`,
      );
    }
    if (preconditions?.resourceVersion && preconditions.resourceVersion !== object.metadata.resourceVersion) {
      throw conflict(
        kind,
        name,
        `Precondition failed: resourceVersion in precondition: ${preconditions.resourceVersion}, in object meta: ${object.metadata.resourceVersion}`,
      );
    }
    const finalizers = new Set(object.metadata.finalizers ?? []);
    if (options.propagationPolicy === 'Foreground') finalizers.add('foregroundDeletion');
    if (options.propagationPolicy === 'Orphan') finalizers.add('orphan');
    const grace = graceOf(kind, object, options.gracePeriodSeconds);
    const marked = withMeta(object, {
      deletionTimestamp: object.metadata.deletionTimestamp ?? kubeTime(this.clock.now() + grace * 1_000),
      ...(kind === PODS
        ? { deletionGracePeriodSeconds: Math.min(grace, object.metadata.deletionGracePeriodSeconds ?? grace) }
        : {}),
      ...(finalizers.size > 0 ? { finalizers: [...finalizers] } : {}),
    });
    if (options.dryRun) return marked;
    if (isDeletable(kind, marked)) {
      this.store.remove(kind, namespace, name);
      return null;
    }
    if (canonicalJson(marked) === canonicalJson(object)) return object;
    if (kind === NAMESPACES) {
      return this.store.put(kind, {
        ...marked,
        status: { ...(marked as Namespace).status, phase: 'Terminating' },
      } as KubeObject);
    }
    return this.store.put(kind, marked);
  }

  private by(
    manager: string,
    subresource?: string,
  ): { manager: string; subresource: string | undefined; nowMs: number } {
    return { manager, subresource, nowMs: this.clock.now() };
  }

  private checkedBody(kind: ResourceKind, namespace: string | undefined, body: unknown): Fields {
    if (body === null || typeof body !== 'object' || Array.isArray(body)) {
      throw badRequest('the request body is not an object');
    }
    const given = body as Fields;
    const wanted = { apiVersion: apiVersionOf(kind), kind: kind.kind };
    for (const [field, value] of Object.entries(wanted)) {
      if (given[field] !== undefined && given[field] !== null && given[field] !== value) {
        throw badRequest(
          `the ${field} in the data (${JSON.stringify(given[field])}) does not match the expected ${field} (${value})`,
        );
      }
    }
    const inBody = asMeta(given['metadata']).namespace;
    if (kind.namespaced && inBody && inBody !== namespace) {
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    }
    return given;
  }

  private checkNamespace(kind: ResourceKind, namespace: string | undefined, name: string): void {
    if (!kind.namespaced) return;
    const home = this.store.get<Namespace>(NAMESPACES, undefined, namespace!);
    if (!home) throw notFound(NAMESPACES, namespace!);
    if (home.metadata.deletionTimestamp !== undefined) {
      const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
      throw forbidden(kind, name, why, [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ]);
    }
  }

  private merged(
    kind: ResourceKind,
    before: KubeObject,
    given: Fields,
    subresource: string | undefined,
  ): KubeObject {
    const old = before as unknown as Fields;
    if (subresource === 'status') {
      return {
        ...old,
        ...(given['status'] === undefined ? {} : { status: given['status'] }),
      } as unknown as KubeObject;
    }
    const { status, metadata, ...rest } = given;
    const kept = kind.statusSubresource ? old['status'] : status;
    const identity = before.metadata;
    const raw = {
      ...rest,
      apiVersion: before.apiVersion,
      kind: before.kind,
      ...(kept === undefined ? {} : { status: kept }),
      metadata: {
        ...pickMeta(asMeta(metadata)),
        ...(identity.namespace === undefined ? {} : { namespace: identity.namespace }),
        ...(identity.generateName === undefined ? {} : { generateName: identity.generateName }),
        name: identity.name,
        uid: identity.uid,
        resourceVersion: identity.resourceVersion,
        creationTimestamp: identity.creationTimestamp,
        ...(identity.deletionTimestamp === undefined
          ? {}
          : { deletionTimestamp: identity.deletionTimestamp }),
        ...(identity.deletionGracePeriodSeconds === undefined
          ? {}
          : { deletionGracePeriodSeconds: identity.deletionGracePeriodSeconds }),
        ...(identity.generation === undefined ? {} : { generation: identity.generation }),
      },
    } as unknown as KubeObject;
    const complete = admit(this.store, kind, withDefaults(kind, raw), before);
    this.refuseFaults(kind, complete, before);
    const spec = (complete as unknown as Fields)['spec'] ?? null;
    return canonicalJson(spec) === canonicalJson(old['spec'] ?? null)
      ? complete
      : withMeta(complete, { generation: (identity.generation ?? 0) + 1 });
  }

  private refuseFaults(kind: ResourceKind, object: KubeObject, before: KubeObject | null): void {
    const causes = validate(kind, object, before);
    if (causes.length > 0) throw unprocessable(kind, object.metadata.name, causes);
  }
}

const pickMeta = (asked: Partial<ObjectMeta>): Partial<ObjectMeta> => {
  const { labels, annotations, finalizers, ownerReferences, generateName } = asked;
  return {
    ...(generateName === undefined ? {} : { generateName }),
    ...(labels && Object.keys(labels).length > 0 ? { labels } : {}),
    ...(annotations && Object.keys(annotations).length > 0 ? { annotations } : {}),
    ...(finalizers?.length ? { finalizers } : {}),
    ...(ownerReferences?.length ? { ownerReferences } : {}),
  };
};

const withMeta = (object: KubeObject, more: Partial<ObjectMeta>): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, ...more },
});

const sameBut = (before: KubeObject, after: KubeObject): boolean => {
  const { managedFields: _, ...metadata } = before.metadata;
  return canonicalJson({ ...before, metadata }) === canonicalJson(after);
};

/** Seconds a pod has to stop; one that no kubelet has taken, or that has ended, goes at once. */
const graceOf = (kind: ResourceKind, object: KubeObject, asked: number | undefined): number => {
  if (kind !== PODS) return 0;
  const { spec, status } = object as Pod;
  if (!spec.nodeName || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0;
  return Math.max(0, asked ?? spec.terminationGracePeriodSeconds ?? 30);
};

/** Nothing holds a marked object any more. */
const isDeletable = (kind: ResourceKind, object: KubeObject): boolean => {
  if (object.metadata.finalizers?.length) return false;
  if (kind === NAMESPACES) return !(object as Namespace).spec?.finalizers?.length;
  return kind !== PODS || (object.metadata.deletionGracePeriodSeconds ?? 0) === 0;
};

export { ApiError };
