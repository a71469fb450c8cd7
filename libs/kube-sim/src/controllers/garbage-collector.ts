import { findKind, type ResourceKind, resourceKinds, storageName } from '../kinds.ts';
import type { KubeObject, OwnerReference } from '../objects.ts';
import { type Controller, type ControllerContext, removeQuietly } from './context.ts';

const byStorageName = new Map(resourceKinds.map((kind) => [storageName(kind), kind]));

/** Removes what belonged to something that is gone, and settles the finalizers that deletion policies set. */
export const garbageCollector = (context: ControllerContext): Controller => {
  const { store, writer } = context;

  const ownerOf = (object: KubeObject, reference: OwnerReference): KubeObject | undefined => {
    const kind = findKind(reference.apiVersion, reference.kind);
    const owner = kind && store.get(kind, object.metadata.namespace, reference.name);
    return owner?.metadata.uid === reference.uid ? owner : undefined;
  };

  const dependents = (owner: KubeObject): { kind: ResourceKind; object: KubeObject }[] =>
    resourceKinds.flatMap((kind) =>
      store
        .list(kind, kind.namespaced ? owner.metadata.namespace : undefined)
        .filter((object) => object.metadata.ownerReferences?.some((each) => each.uid === owner.metadata.uid))
        .map((object) => ({ kind, object })),
    );

  const without = (kind: ResourceKind, object: KubeObject, finalizer: string): void => {
    const finalizers = (object.metadata.finalizers ?? []).filter((each) => each !== finalizer);
    const { finalizers: _, ...metadata } = object.metadata;
    const cleaned = { ...object, metadata: finalizers.length > 0 ? { ...metadata, finalizers } : metadata };
    if (finalizers.length === 0) store.remove(kind, metadata.namespace, metadata.name);
    else writer.put(kind, cleaned);
  };

  const release = (kind: ResourceKind, owner: KubeObject): void => {
    for (const { kind: dependentKind, object } of dependents(owner)) {
      const left = object.metadata.ownerReferences!.filter((each) => each.uid !== owner.metadata.uid);
      const { ownerReferences: _, ...metadata } = object.metadata;
      writer.put(dependentKind, {
        ...object,
        metadata: left.length > 0 ? { ...metadata, ownerReferences: left } : metadata,
      });
    }
    without(kind, owner, 'orphan');
  };

  const cascade = (kind: ResourceKind, owner: KubeObject): void => {
    const blocking = dependents(owner);
    for (const { kind: dependentKind, object } of blocking) {
      if (object.metadata.deletionTimestamp === undefined) removeQuietly(context, dependentKind, object);
    }
    if (dependents(owner).length === 0) without(kind, owner, 'foregroundDeletion');
  };

  return {
    name: 'garbage-collector',
    interestedIn: (resource, object) => {
      const { namespace, name, finalizers, ownerReferences, deletionTimestamp } = object.metadata;
      const kind = byStorageName.get(resource)!;
      const own = `${resource} ${namespace ?? ''}/${name}`;
      const gone = store.get(kind, namespace, name)?.metadata.uid !== object.metadata.uid;
      if (gone) {
        const owners = (ownerReferences ?? []).flatMap((each) => {
          const ownerKind = findKind(each.apiVersion, each.kind);
          return ownerKind ? [`${storageName(ownerKind)} ${namespace ?? ''}/${each.name}`] : [];
        });
        return [
          ...dependents(object).map(
            (each) =>
              `${storageName(each.kind)} ${each.object.metadata.namespace ?? ''}/${each.object.metadata.name}`,
          ),
          ...owners,
        ];
      }
      const settles = deletionTimestamp !== undefined && finalizers?.length;
      return settles || ownerReferences?.length ? [own] : [];
    },
    reconcile: (key) => {
      const at = key.indexOf(' ');
      const kind = byStorageName.get(key.slice(0, at))!;
      const [namespace, name] = key.slice(at + 1).split('/') as [string, string];
      const object = store.get(kind, namespace, name);
      if (!object) return;
      const { deletionTimestamp, finalizers, ownerReferences } = object.metadata;
      if (deletionTimestamp !== undefined && finalizers?.includes('orphan')) return release(kind, object);
      if (deletionTimestamp !== undefined && finalizers?.includes('foregroundDeletion'))
        return cascade(kind, object);
      if (ownerReferences?.length && ownerReferences.every((each) => !ownerOf(object, each))) {
        if (deletionTimestamp === undefined) removeQuietly(context, kind, object);
      }
    },
    everything: () =>
      resourceKinds.flatMap((kind) =>
        store
          .list(kind)
          .filter(
            ({ metadata }) =>
              metadata.ownerReferences?.length || (metadata.deletionTimestamp && metadata.finalizers?.length),
          )
          .map(({ metadata }) => `${storageName(kind)} ${metadata.namespace ?? ''}/${metadata.name}`),
      ),
  };
};
