import type { ExposedPort } from '@gridbourse/events';
import { type Context, LIMITS } from './context.ts';
import { asMap, expected, Fields, readBoolean, readInteger, readText, readTexts } from './fields.ts';
import { didYouMean, quoted } from './nearest.ts';
import type { YamlNode } from './yaml-tree.ts';

const PORT = { min: 1, max: 65_535 } as const;
/** Both networks put an HTTP proxy in front of the public port 80 and of no other. */
const INGRESS_PORT = 80;
const HOST_NAME =
  /^(?=.{1,253}$)(?:\*\.)?[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)*$/i;

const KNOWN: Readonly<Record<Context['dialect'], readonly string[]>> = {
  'akash-sdl': ['port', 'as', 'accept', 'proto', 'to', 'http_options'],
  'spheron-icl': [
    'port',
    'as',
    'accept',
    'proto',
    'to',
    'http_options',
    'port_range',
    'port_range_as',
    'use_public_port',
  ],
};
const HTTP_OPTIONS = [
  'max_body_size',
  'read_timeout',
  'send_timeout',
  'next_tries',
  'next_timeout',
  'next_cases',
];

/** The `expose` list of a service: ports, who may connect, and host names. */
export const readExpose = (context: Context, list: readonly YamlNode[]): ExposedPort[] => {
  const ports: ExposedPort[] = [];
  const seen = new Set<string>();
  for (const item of list) {
    const map = asMap(context.report, item, 'a map with `port`');
    if (map === null) continue;
    if (ports.length >= LIMITS.ports) {
      context.report.fault(map, `more than ${LIMITS.ports} ports`);
      break;
    }
    const fields = new Fields(context.report, map, KNOWN[context.dialect]);
    for (const port of readPorts(context, fields)) {
      const key = `${port.servicePort}/${port.protocol === 'udp' ? 'udp' : 'tcp'}/${port.containerPort}`;
      if (seen.has(key)) mergePort(ports, port);
      else ports.push(port);
      seen.add(key);
    }
  }
  return ports;
};

/** The same port named again for other clients adds to what is there. */
const mergePort = (ports: ExposedPort[], again: ExposedPort): void => {
  const at = ports.findIndex(
    (port) =>
      port.servicePort === again.servicePort &&
      port.containerPort === again.containerPort &&
      (port.protocol === 'udp') === (again.protocol === 'udp'),
  );
  const first = ports[at]!;
  const global = first.global || again.global;
  ports[at] = {
    ...first,
    protocol: first.protocol === 'http' || again.protocol === 'http' ? 'http' : first.protocol,
    global,
    services: [...new Set([...first.services, ...again.services])],
    hosts: [...new Set([...first.hosts, ...again.hosts])],
  };
};

const readPorts = (context: Context, fields: Fields): ExposedPort[] => {
  const { report } = context;
  const to = readClients(context, fields);
  const hosts = readHosts(context, fields.get('accept'));
  const proto = readProtocol(context, fields.get('proto'));
  checkHttpOptions(context, fields);
  const usePublicPort = fields.get('use_public_port');
  if (usePublicPort !== null && readBoolean(report, usePublicPort) === true) {
    report.warn(
      usePublicPort,
      'public_port_not_used',
      'the service listens on the port that is written, whatever public port it gets',
    );
  }

  const single = fields.integer('port', { ...PORT, what: 'a port' });
  const as = fields.integer('as', { ...PORT, what: 'a port' });
  const pairs: { container: number; service: number }[] = [];
  if (single !== null) pairs.push({ container: single, service: as ?? single });
  pairs.push(...readRange(context, fields));
  if (pairs.length === 0 && fields.get('port') === null && fields.get('port_range') === null) {
    report.fault(fields.node, '`port` is missing: expected a port of the container');
  }
  return pairs.map(({ container, service }) => ({
    containerPort: container,
    servicePort: service,
    protocol:
      proto === 'udp' ? 'udp' : proto === 'http' || (to.global && service === INGRESS_PORT) ? 'http' : 'tcp',
    ...to,
    hosts,
  }));
};

const readProtocol = (context: Context, node: YamlNode | null): 'tcp' | 'udp' | 'http' => {
  if (node === null) return 'tcp';
  const text = node.kind === 'scalar' ? node.text.toLowerCase() : '';
  if (text === 'tcp' || text === 'udp') return text;
  if (text === 'http' || text === 'https') return 'http';
  expected(context.report, node, 'a protocol: tcp, udp or http');
  return 'tcp';
};

const readHosts = (context: Context, node: YamlNode | null): string[] => {
  const hosts = readTexts(context.report, node, 'a list of host names');
  for (const host of hosts) {
    if (!HOST_NAME.test(host)) context.report.fault(node!, `${quoted(host)} is not a host name`);
  }
  return hosts;
};

const readRange = (context: Context, fields: Fields): { container: number; service: number }[] => {
  const parse = (name: string): { first: number; last: number; node: YamlNode } | null => {
    const node = fields.get(name);
    if (node === null) return null;
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(node.kind === 'scalar' ? node.text.trim() : '');
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match && first >= PORT.min && last <= PORT.max && last >= first && last - first < LIMITS.portRange) {
      return { first, last, node };
    }
    expected(context.report, node, `a range of at most ${LIMITS.portRange} ports, like 8443-8445`);
    return null;
  };
  const inside = parse('port_range');
  const outside = parse('port_range_as') ?? inside;
  if (inside === null || outside === null) return [];
  if (inside.last - inside.first !== outside.last - outside.first) {
    context.report.fault(outside.node, '`port_range` and `port_range_as` have unlike lengths');
    return [];
  }
  return Array.from({ length: inside.last - inside.first + 1 }, (_, i) => ({
    container: inside.first + i,
    service: outside.first + i,
  }));
};

type Clients = { global: boolean; services: string[] };

const readClients = (context: Context, fields: Fields): Clients => {
  const { report } = context;
  const clients: Clients = { global: false, services: [] };
  const node = fields.get('to');
  if (node === null) {
    report.warn(
      fields.node,
      'port_without_clients',
      'nobody may connect: `to` names neither services nor the world',
    );
    return clients;
  }
  if (node.kind === 'map')
    report.warn(node, 'list_expected', '`to` is a list; its single map was read as a list of one');
  const items = node.kind === 'list' ? node.items : [node];
  for (const item of items) readClient(context, item, clients);
  return clients;
};

const readClient = (context: Context, item: YamlNode, clients: Clients): void => {
  const { report } = context;
  const map = asMap(report, item, 'a map with `global` or `service`');
  if (map === null) return;
  const fields = new Fields(report, map, ['service', 'global', 'ip', 'http_options']);
  checkHttpOptions(context, fields);
  const global = fields.boolean('global');
  const service = fields.get('service');
  if (global === true) clients.global = true;
  if (service !== null) addService(context, service, clients);
  const ip = fields.text('ip', 'the name of an endpoint');
  if (ip !== null) checkEndpoint(context, fields, ip);
  if (global === null && service === null && map.entries.size === 0) {
    report.fault(map, 'expected `global: true` or `service`, found an empty map');
  }
};

const addService = (context: Context, node: YamlNode, clients: Clients): void => {
  const name = readText(context.report, node, 'the name of a service');
  if (name === null) return;
  if (context.serviceNames.has(name)) {
    if (!clients.services.includes(name)) clients.services.push(name);
    return;
  }
  context.report.warn(
    node,
    'unknown_client',
    `there is no service ${quoted(name)} here${didYouMean(name, [...context.serviceNames])}, so this lets nobody connect`,
  );
};

const checkEndpoint = ({ report, endpointNames }: Context, fields: Fields, ip: string): void => {
  const node = fields.get('ip')!;
  if (!endpointNames.has(ip)) {
    report.fault(node, `no endpoint ${quoted(ip)} is declared${didYouMean(ip, [...endpointNames])}`);
    return;
  }
  report.warn(
    node,
    'no_leased_ip',
    'the market leases no IP addresses: the port is open at the provider’s own address',
  );
};

const checkHttpOptions = (context: Context, fields: Fields): void => {
  const map = fields.map('http_options', 'a map');
  if (map === null) return;
  const { report } = context;
  const options = new Fields(report, map, HTTP_OPTIONS);
  const number = { min: 0, max: 2 ** 40, what: 'a number' };
  for (const name of HTTP_OPTIONS.slice(0, -1)) {
    const node = options.get(name);
    if (node !== null) readInteger(report, node, number);
  }
  readTexts(report, options.get('next_cases'), 'a list of cases');
  report.warn(map, 'http_options_not_applied', 'the provider’s own limits for HTTP apply instead');
};
