import { findResource, type ResourceKind } from '../kinds.ts';
import { noSuchPath } from './status.ts';

/** What a path of the API names. */
export type Route = {
  readonly kind: ResourceKind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
};

const decode = (part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch {
    throw noSuchPath();
  }
};

/**
 * `/api/v1/...` and `/apis/<group>/<version>/...` below the discovery paths.
 * @throws ApiError 404 for anything that is not a resource
 */
export const parseRoute = (path: string): Route => {
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decode);
  const core = parts[0] === 'api';
  const apiVersion = core ? parts[1] : `${parts[1]}/${parts[2]}`;
  const rest = parts.slice(core ? 2 : 3);
  if ((!core && parts[0] !== 'apis') || apiVersion === undefined || rest.length === 0) throw noSuchPath();

  if (rest[0] === 'namespaces' && rest.length >= 3) {
    const kind = findResource(apiVersion, rest[2]!);
    if (kind?.namespaced) {
      return { kind, namespace: rest[1]!, name: rest[3], subresource: rest.slice(4).join('/') || undefined };
    }
  }
  const kind = findResource(apiVersion, rest[0]!);
  if (!kind || (kind.namespaced && rest.length > 1)) throw noSuchPath();
  return { kind, namespace: undefined, name: rest[1], subresource: rest.slice(2).join('/') || undefined };
};
