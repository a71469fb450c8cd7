import {
  CONFIG_MAPS,
  NAMESPACES,
  PODS,
  type ResourceKind,
  resourceKinds,
  SERVICE_ACCOUNTS,
  storageName,
} from '../kinds.ts';
import type { KubeObject, Namespace } from '../objects.ts';
import { type Controller, type ControllerContext, removeQuietly } from './context.ts';

const namespaced: readonly ResourceKind[] = resourceKinds.filter((kind) => kind.namespaced);

/** Gives new namespaces what every namespace has, and empties those that are deleted before they go. */
export const namespaceController = (context: ControllerContext): Controller => {
  const { store, writer, timers, timings, enqueue } = context;

  const furnish = (name: string): void => {
    if (!store.get(SERVICE_ACCOUNTS, name, 'default')) {
      writer.create(SERVICE_ACCOUNTS, name, { metadata: { name: 'default' } });
    }
    if (!store.get(CONFIG_MAPS, name, 'kube-root-ca.crt')) {
      const metadata = {
        name: 'kube-root-ca.crt',
        annotations: { 'kubernetes.io/description': 'Contains a CA bundle' },
      };
      writer.create(CONFIG_MAPS, name, { metadata, data: { 'ca.crt': '' } });
    }
  };

  const contents = (name: string): { kind: ResourceKind; object: KubeObject }[] =>
    namespaced.flatMap((kind) => store.list(kind, name).map((object) => ({ kind, object })));

  /** Owners first, so that no controller makes again what is being deleted; the namespace takes nothing new anyway. */
  const empty = (name: string): void => {
    const left = contents(name);
    for (const { kind, object } of left.filter(({ kind }) => kind !== PODS)) {
      if (object.metadata.deletionTimestamp === undefined) removeQuietly(context, kind, object);
    }
    for (const { kind, object } of left.filter(({ kind }) => kind === PODS)) {
      if (object.metadata.deletionTimestamp === undefined) removeQuietly(context, kind, object);
    }
    const namespace = store.get<Namespace>(NAMESPACES, undefined, name);
    if (!namespace || contents(name).length > 0) return;
    if (namespace.metadata.finalizers?.length) {
      if (namespace.spec?.finalizers?.length)
        writer.put(NAMESPACES, { ...namespace, spec: { finalizers: [] } });
      return;
    }
    store.remove(NAMESPACES, undefined, name);
  };

  return {
    name: 'namespaces',
    interestedIn: (resource, object) => {
      if (resource === storageName(NAMESPACES)) return [object.metadata.name];
      const home = object.metadata.namespace;
      if (home === undefined) return [];
      const namespace = store.get(NAMESPACES, undefined, home);
      return namespace?.metadata.deletionTimestamp === undefined ? [] : [home];
    },
    reconcile: (name) => {
      const namespace = store.get<Namespace>(NAMESPACES, undefined, name);
      const timer = `namespace ${name}`;
      if (!namespace) return;
      if (namespace.metadata.deletionTimestamp === undefined) return furnish(name);
      if (timers.has(timer)) return;
      const delayMs = contents(name).some(({ object }) => object.metadata.deletionTimestamp !== undefined)
        ? 10
        : timings.namespaceMs;
      timers.set(timer, delayMs, () => {
        empty(name);
        const waiting = store.get(NAMESPACES, undefined, name);
        if (waiting) timers.set(`${timer} again`, 1_000, () => enqueue('namespaces', name));
      });
    },
    everything: () => store.list(NAMESPACES).map((namespace) => namespace.metadata.name),
  };
};
