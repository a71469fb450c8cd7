import type { ExposedPort, ServiceSpec } from '@gridbourse/events';
import type { Endpoint } from '../workload.ts';
import { LABEL_LEASE, LABEL_SERVICE, nodePortHost, publicHost, serviceObjectName, wrapper } from './names.ts';
import type { KubernetesObject, LeaseTerms, ObjectOptions } from './object-types.ts';

const SERVICE = { apiVersion: 'v1', kind: 'Service' } as const;
const INGRESS = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' } as const;

/** Two hyphens: no ordinary service is called so. */
const suffixed = (service: string, suffix: string): string =>
  `${serviceObjectName(service).slice(0, 58)}--${suffix}`;
export const headlessName = (service: string): string => suffixed(service, 'hl');
export const nodePortName = (service: string): string => suffixed(service, 'np');

const transportOf = ({ protocol }: ExposedPort): 'TCP' | 'UDP' => (protocol === 'udp' ? 'UDP' : 'TCP');

/** A port may be exposed several times, to several peers: the Service lists it once. */
const servicePorts = (ports: readonly ExposedPort[]): Record<string, unknown>[] => {
  const seen = new Map<string, Record<string, unknown>>();
  for (const port of ports) {
    const protocol = transportOf(port);
    const name = `p${port.servicePort}-${protocol.toLowerCase()}`;
    if (seen.has(name)) continue;
    seen.set(name, { name, port: port.servicePort, targetPort: port.containerPort, protocol });
  }
  return [...seen.values()];
};

const isWeb = (port: ExposedPort): boolean => port.global && port.protocol === 'http';
const isNodePort = (port: ExposedPort): boolean => port.global && port.protocol !== 'http';

type Route = { host: string; servicePort: number; ours: boolean };

/** The first HTTP port of a service answers at its plain name, each further one at a name with its port. */
const routesOf = (lease: LeaseTerms, service: ServiceSpec, options: ObjectOptions): Route[] => {
  const web = service.ports.filter(isWeb);
  const main = web.find(({ servicePort }) => servicePort === 80) ?? web[0];
  const routes: Route[] = [];
  const taken = new Set<string>();
  const add = (host: string, servicePort: number, ours: boolean): void => {
    if (taken.has(host)) return;
    taken.add(host);
    routes.push({ host, servicePort, ours });
  };
  for (const port of web) {
    const extra = port.servicePort === main?.servicePort ? null : port.servicePort;
    add(publicHost(lease, options, service.name, extra), port.servicePort, true);
    for (const host of port.hosts) add(host.toLowerCase(), port.servicePort, false);
  }
  // Names below our own domain are given out by the platform alone.
  return routes.filter(({ host, ours }) => ours || !`.${host}`.endsWith(`.${options.ingressDomain}`));
};

const ingressOf = (lease: LeaseTerms, service: ServiceSpec, options: ObjectOptions): KubernetesObject[] => {
  const routes = routesOf(lease, service, options);
  if (routes.length === 0) return [];
  const name = serviceObjectName(service.name);
  const rules = routes.map(({ host, servicePort }) => ({
    host,
    http: {
      paths: [
        { path: '/', pathType: 'Prefix', backend: { service: { name, port: { number: servicePort } } } },
      ],
    },
  }));
  const { ingressClassName } = options;
  const spec = { ...(ingressClassName === null ? {} : { ingressClassName }), rules };
  return [wrapper(lease, options)(INGRESS, name, { spec }, { [LABEL_SERVICE]: service.name })];
};

/** Services by the manifest's names, node ports for what is not HTTP, routes for what is. */
export const serviceObjects = (
  lease: LeaseTerms,
  options: ObjectOptions,
  needsHeadless: (service: ServiceSpec) => boolean,
): KubernetesObject[] => {
  const wrap = wrapper(lease, options);
  return lease.group.services.flatMap((service) => {
    const labels = { [LABEL_SERVICE]: service.name };
    const selector = { [LABEL_LEASE]: lease.leaseId, ...labels };
    const objects: KubernetesObject[] = [];
    const ports = servicePorts(service.ports);
    if (ports.length > 0) {
      const spec = { type: 'ClusterIP', selector, ports };
      objects.push(wrap(SERVICE, serviceObjectName(service.name), { spec }, labels));
    }
    if (needsHeadless(service)) {
      const spec = { clusterIP: 'None', publishNotReadyAddresses: true, selector, ports };
      objects.push(wrap(SERVICE, headlessName(service.name), { spec }, labels));
    }
    const open = servicePorts(service.ports.filter(isNodePort));
    if (open.length > 0) {
      const spec = { type: 'NodePort', selector, ports: open };
      objects.push(wrap(SERVICE, nodePortName(service.name), { spec }, labels));
    }
    return [...objects, ...ingressOf(lease, service, options)];
  });
};

export const usesNodePorts = (lease: LeaseTerms): boolean =>
  lease.group.services.some((service) => service.ports.some(isNodePort));

/**
 * Where the tenant reaches its services.
 * @param nodePortOf the port that the cluster gave to a port of a NodePort Service; null while it has given none
 */
export const endpointsOf = (
  lease: LeaseTerms,
  options: ObjectOptions,
  nodePortOf: (serviceObject: string, servicePort: number, protocol: 'TCP' | 'UDP') => number | null,
): Endpoint[] =>
  lease.group.services.flatMap((service) => {
    const web = routesOf(lease, service, options).map(({ host, servicePort }) => ({
      service: service.name,
      port: servicePort,
      url: `http://${host}`,
    }));
    const open = servicePorts(service.ports.filter(isNodePort)).flatMap((entry) => {
      const port = entry['port'] as number;
      const protocol = entry['protocol'] as 'TCP' | 'UDP';
      const nodePort = nodePortOf(nodePortName(service.name), port, protocol);
      if (nodePort === null) return [];
      const url = `${protocol.toLowerCase()}://${nodePortHost(lease, options)}:${nodePort}`;
      return [{ service: service.name, port, url }];
    });
    return [...web, ...open];
  });
