import { selectorMatches } from '../api/selectors.ts';
import { ENDPOINT_SLICES, PODS, SERVICES, storageName } from '../kinds.ts';
import { canonicalJson } from '@gridbourse/kernel';
import { type KubeObject, ownerReferenceTo, type Pod, type Service } from '../objects.ts';
import { isActive, isReady } from './owned-pods.ts';
import { type Controller, type ControllerContext, keyOf, splitKey } from './context.ts';

type Slice = KubeObject & { addressType: string; endpoints: object[]; ports: object[] };

/** One EndpointSlice a service with a selector: the pods behind it and whether they are ready. */
export const endpointController = ({ store, writer }: ControllerContext): Controller => ({
  name: 'endpoints',
  interestedIn: (resource, object) => {
    if (resource === storageName(SERVICES)) return [keyOf(object)];
    if (resource !== storageName(PODS)) return [];
    return store
      .list<Service>(SERVICES, object.metadata.namespace)
      .filter(
        (service) =>
          service.spec.selector &&
          selectorMatches({ matchLabels: service.spec.selector }, object.metadata.labels),
      )
      .map(keyOf);
  },
  reconcile: (key) => {
    const [namespace, name] = splitKey(key);
    const service = store.get<Service>(SERVICES, namespace, name);
    if (!service?.spec.selector || service.metadata.deletionTimestamp !== undefined) return;
    const pods = store
      .list<Pod>(PODS, namespace)
      .filter(
        (pod) =>
          pod.status.podIP &&
          isActive(pod) &&
          selectorMatches({ matchLabels: service.spec.selector! }, pod.metadata.labels),
      );
    const endpoints = pods.map((pod) => ({
      addresses: [pod.status.podIP!],
      conditions: { ready: isReady(pod), serving: isReady(pod), terminating: false },
      nodeName: pod.spec.nodeName!,
      ...(pod.spec.hostname === undefined ? {} : { hostname: pod.spec.hostname }),
      targetRef: { kind: 'Pod', name: pod.metadata.name, namespace, uid: pod.metadata.uid },
    }));
    const ports = (service.spec.ports ?? []).map((port) => ({
      name: port.name ?? '',
      port: Number(port.targetPort ?? port.port) || port.port,
      protocol: port.protocol ?? 'TCP',
    }));
    const known = store.get<Slice>(ENDPOINT_SLICES, namespace, name);
    if (!known) {
      writer.create(ENDPOINT_SLICES, namespace, {
        metadata: {
          name,
          labels: { 'kubernetes.io/service-name': name },
          ownerReferences: [ownerReferenceTo(service)],
        },
        addressType: 'IPv4',
        endpoints,
        ports,
      });
    } else if (canonicalJson([known.endpoints, known.ports]) !== canonicalJson([endpoints, ports])) {
      writer.put(ENDPOINT_SLICES, { ...known, endpoints, ports });
    }
  },
  everything: () => store.list(SERVICES).map(keyOf),
});
