import type { ServiceSpec, WorkloadSecrets } from '@gridbourse/events';
import { LABEL_SERVICE, objectName, wrapper } from './names.ts';
import type { KubernetesObject, LeaseTerms, ObjectOptions, ServiceSecrets } from './object-types.ts';

const SECRET = { apiVersion: 'v1', kind: 'Secret' } as const;
const DATA_KEY = /^[-._a-zA-Z0-9]{1,253}$/;

const base64 = (text: string): string => {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
};

export const envSecretName = (service: string): string => objectName(service, '-env');
export const registrySecretName = (service: string): string => objectName(service, '-registry');

/** A variable may have a name that no key of a Secret can have; its place in the list then names it. */
export const envKey = (service: ServiceSpec, index: number): string => {
  const name = service.envNames[index]!;
  return DATA_KEY.test(name) && !name.startsWith('..') && name !== '.' ? name : `variable-${index}`;
};

/** The server of an image's credentials as the kubelet looks it up. */
const registryServer = (server: string): string => {
  const host = server.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  return ['docker.io', 'index.docker.io', 'registry-1.docker.io', ''].includes(host)
    ? 'https://index.docker.io/v1/'
    : host;
};

const registryConfig = (credentials: NonNullable<ServiceSecrets['imageCredentials']>): string => {
  const { server, username, password } = credentials;
  const entry = { username, password, auth: base64(`${username}:${password}`) };
  return JSON.stringify({ auths: { [registryServer(server)]: entry } });
};

export const hasRegistrySecret = (service: ServiceSpec, secrets: WorkloadSecrets | null): boolean =>
  service.privateImage && (secrets?.services[service.name]?.imageCredentials ?? null) !== null;

/** Values live in Secrets only: a pod's description, which more people may read, shows names. */
export const secretObjects = (
  lease: LeaseTerms,
  secrets: WorkloadSecrets | null,
  options: ObjectOptions,
): KubernetesObject[] => {
  const wrap = wrapper(lease, options);
  return lease.group.services.flatMap((service) => {
    const own = secrets?.services[service.name];
    const labels = { [LABEL_SERVICE]: service.name };
    const objects: KubernetesObject[] = [];
    if (service.envNames.length > 0) {
      const data = Object.fromEntries(
        service.envNames.map((name, index) => [envKey(service, index), base64(own?.env[name] ?? '')]),
      );
      objects.push(wrap(SECRET, envSecretName(service.name), { type: 'Opaque', data }, labels));
    }
    if (own?.imageCredentials && hasRegistrySecret(service, secrets)) {
      const data = { '.dockerconfigjson': base64(registryConfig(own.imageCredentials)) };
      const type = 'kubernetes.io/dockerconfigjson';
      objects.push(wrap(SECRET, registrySecretName(service.name), { type, data }, labels));
    }
    return objects;
  });
};
