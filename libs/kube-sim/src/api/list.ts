import { canonicalJson } from '@gridbourse/kernel';
import { apiVersionOf, type ResourceKind } from '../kinds.ts';
import type { KubeObject } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';
import { matcherOf } from './selectors.ts';
import { ApiError, badRequest, expired } from './status.ts';

type Continue = { revision: number; after: string };

const encode = (token: Continue): string => Buffer.from(canonicalJson(token)).toString('base64url');

const decode = (text: string): Continue => {
  try {
    const { revision, after } = JSON.parse(Buffer.from(text, 'base64url').toString()) as Continue;
    if (Number.isInteger(revision) && typeof after === 'string') return { revision, after };
  } catch {
    // refused below, like any other token that is not ours
  }
  throw badRequest('continue key is not valid');
};

const keyOf = (object: KubeObject): string => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;

export const parseRevision = (text: string | null): number | undefined => {
  if (text === null || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw badRequest(`invalid resource version "${text}"`);
  }
  return Number(text);
};

const snapshotRevision = (
  store: ObjectStore,
  query: URLSearchParams,
  token: Continue | undefined,
): number => {
  const asked = parseRevision(query.get('resourceVersion'));
  const exact = query.get('resourceVersionMatch') === 'Exact';
  const revision = token?.revision ?? (exact ? asked! : store.revision);
  if (revision < store.oldestRevision && revision !== store.revision) {
    throw expired(
      token
        ? 'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.'
        : `The resourceVersion for the provided list is too old.`,
    );
  }
  if ((asked ?? 0) > store.revision) {
    throw new ApiError(504, 'Timeout', `Too large resource version: ${asked}, current: ${store.revision}`, {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    });
  }
  return revision;
};

/**
 * A list with selectors, pages and consistent snapshots: all pages of one list show the state of the first.
 * @throws ApiError 410 when the snapshot of a continue token is compacted away
 */
export const listObjects = (
  store: ObjectStore,
  kind: ResourceKind,
  namespace: string | undefined,
  query: URLSearchParams,
): object => {
  const matches = matcherOf(kind, query);
  const limit = Number(query.get('limit') ?? 0);
  const text = query.get('continue');
  const token = text ? decode(text) : undefined;
  const revision = snapshotRevision(store, query, token);
  const all =
    revision === store.revision ? store.list(kind, namespace) : store.listAt(kind, namespace, revision);
  const from = token ? all.filter((object) => keyOf(object) > token.after) : all;
  const matching = from.filter(matches);
  const items = limit > 0 ? matching.slice(0, limit) : matching;
  const left = matching.length - items.length;
  return {
    kind: `${kind.kind}List`,
    apiVersion: apiVersionOf(kind),
    metadata: {
      resourceVersion: String(revision),
      ...(left > 0 ? { continue: encode({ revision, after: keyOf(items.at(-1)!) }) } : {}),
      ...(left > 0 && !query.get('labelSelector') && !query.get('fieldSelector')
        ? { remainingItemCount: left }
        : {}),
    },
    items,
  };
};
