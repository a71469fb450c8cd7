import { apiVersionOf, PODS, type ResourceKind, resourceKinds, SERVICE_ACCOUNTS } from '../kinds.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

export const VERSION = {
  major: '1',
  minor: '36',
  gitVersion: 'v1.36.3+kube-sim',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: '',
  compiler: 'node',
  platform: 'linux/amd64',
};

const resourceOf = (kind: ResourceKind): object[] => {
  const base = { singularName: kind.kind.toLowerCase(), namespaced: kind.namespaced, kind: kind.kind };
  const subresource = (name: string, verbs: string[]): object => ({
    ...base,
    singularName: '',
    name: `${kind.plural}/${name}`,
    verbs,
  });
  return [
    {
      ...base,
      name: kind.plural,
      verbs: VERBS,
      ...(kind.shortNames.length ? { shortNames: kind.shortNames } : {}),
    },
    ...(kind.statusSubresource ? [subresource('status', ['get', 'patch', 'update'])] : []),
    ...(kind.scaleSubresource ? [subresource('scale', ['get', 'patch', 'update'])] : []),
    ...(kind === PODS ? [subresource('log', ['get']), subresource('eviction', ['create'])] : []),
    ...(kind === SERVICE_ACCOUNTS ? [subresource('token', ['create'])] : []),
  ];
};

const groupOf = (group: string): object => {
  const versions = [
    ...new Set(resourceKinds.filter((kind) => kind.group === group).map((kind) => kind.version)),
  ];
  const listed = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: listed, preferredVersion: listed[0] };
};

const groups = [...new Set(resourceKinds.map((kind) => kind.group))].filter((group) => group !== '');

/** The answer to a discovery path, undefined when the path is not one. */
export const discover = (path: string): object | undefined => {
  const clean = path.replace(/\/+$/, '');
  if (clean === '/version') return VERSION;
  if (clean === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (clean === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupOf) };
  const match = /^\/(?:api\/(v1)|apis\/([^/]+)(?:\/([^/]+))?)$/.exec(clean);
  if (!match) return undefined;
  const [, core, group, version] = match;
  if (group !== undefined && version === undefined) {
    return groups.includes(group) ? { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group) } : undefined;
  }
  const groupVersion = core ?? `${group}/${version}`;
  const resources = resourceKinds.filter((kind) => apiVersionOf(kind) === groupVersion).flatMap(resourceOf);
  if (resources.length === 0) return undefined;
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources };
};
