import type { ExposedPort } from '@gridbourse/events';
import { LABEL_SERVICE, objectName, wrapper } from './names.ts';
import type { KubernetesObject, LeaseTerms, ObjectOptions } from './object-types.ts';

const NETWORK_POLICY = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' } as const;

/**
 * What a tenant may never reach: the provider's own networks, link-local (cloud metadata at 169.254.169.254), the
 * carrier-grade range that clouds use inside, and everything that is not unicast on the internet.
 */
const NOT_THE_INTERNET_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
const NOT_THE_INTERNET_V6 = ['::1/128', 'fc00::/7', 'fe80::/10', 'ff00::/8', '64:ff9b::/96'];

const named = (namespace: string) => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
});
const podsOf = (service: string) => ({ podSelector: { matchLabels: { [LABEL_SERVICE]: service } } });
const portOf = ({ protocol, containerPort }: ExposedPort) => ({
  protocol: protocol === 'udp' ? 'UDP' : 'TCP',
  port: containerPort,
});

/** Who may connect to one port: the ingress controller, the internet through a node port, or named services. */
const peersOf = (port: ExposedPort, options: ObjectOptions): Record<string, unknown>[] => {
  const peers: Record<string, unknown>[] = port.services.map(podsOf);
  if (!port.global) return peers;
  return port.protocol === 'http'
    ? [...peers, named(options.ingressNamespace)]
    : [...peers, { ipBlock: { cidr: '0.0.0.0/0' } }, { ipBlock: { cidr: '::/0' } }];
};

/** Everything is denied both ways; then DNS, the internet, the namespace itself and the exposed ports are allowed. */
export const networkPolicyObjects = (lease: LeaseTerms, options: ObjectOptions): KubernetesObject[] => {
  const wrap = wrapper(lease, options);
  const everyPod = { podSelector: {} };
  const policies = [
    wrap(NETWORK_POLICY, 'default-deny', { spec: { ...everyPod, policyTypes: ['Ingress', 'Egress'] } }),
    wrap(NETWORK_POLICY, 'allow-dns', {
      spec: {
        ...everyPod,
        policyTypes: ['Egress'],
        egress: [
          {
            to: [{ ...named('kube-system'), podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
            ports: [
              { protocol: 'UDP', port: 53 },
              { protocol: 'TCP', port: 53 },
            ],
          },
        ],
      },
    }),
    wrap(NETWORK_POLICY, 'allow-internet', {
      spec: {
        ...everyPod,
        policyTypes: ['Egress'],
        egress: [
          {
            to: [
              { ipBlock: { cidr: '0.0.0.0/0', except: NOT_THE_INTERNET_V4 } },
              { ipBlock: { cidr: '::/0', except: NOT_THE_INTERNET_V6 } },
            ],
          },
        ],
      },
    }),
    // Whether a service of the lease lets another in is decided where it is entered, port by port.
    wrap(NETWORK_POLICY, 'allow-own-namespace', {
      spec: { ...everyPod, policyTypes: ['Egress'], egress: [{ to: [everyPod] }] },
    }),
  ];
  for (const service of lease.group.services) {
    const ingress = service.ports
      .map((port) => ({ from: peersOf(port, options), ports: [portOf(port)] }))
      .filter(({ from }) => from.length > 0);
    if (ingress.length === 0) continue;
    policies.push(
      wrap(
        NETWORK_POLICY,
        objectName(service.name, '-in'),
        { spec: { ...podsOf(service.name), policyTypes: ['Ingress'], ingress } },
        { [LABEL_SERVICE]: service.name },
      ),
    );
  }
  return policies;
};
