import type { ServiceOpenApi } from '@gridbourse/api';

type PathItem = ServiceOpenApi['paths'][string];

/** What every service has at one path is reached through the gateway with the service's name before it. */
const OF_EACH_SERVICE = /^\/ops\//;
const WHICH_SERVICE = {
  name: 'service',
  in: 'path' as const,
  required: true,
  schema: { type: 'string' as const },
};

const placed = (path: string, item: PathItem): [string, PathItem] =>
  OF_EACH_SERVICE.test(path)
    ? [`/services/{service}${path}`, { ...item, parameters: [...(item.parameters ?? []), WHICH_SERVICE] }]
    : [path, item];

/** Merges documents of services that own disjoint paths; two unlike parts of one name are an error. */
export const mergeOpenApi = (
  info: ServiceOpenApi['info'],
  documents: readonly ServiceOpenApi[],
): ServiceOpenApi => {
  const merged: ServiceOpenApi = {
    openapi: '3.1.0',
    info,
    paths: {},
    components: {},
    tags: [],
    servers: [],
    security: [{ bearer: [] }],
  };
  const put = (target: Record<string, unknown>, key: string, value: unknown, what: string): void => {
    if (key in target && JSON.stringify(target[key]) !== JSON.stringify(value)) {
      throw new Error(`two services define ${what} ${key} in different ways`);
    }
    target[key] = value;
  };
  for (const document of documents) {
    for (const [path, item] of Object.entries(document.paths)) {
      put(merged.paths, ...placed(path, item), 'path');
    }
    for (const [kind, parts] of Object.entries(document.components ?? {})) {
      const target = ((merged.components as Record<string, Record<string, unknown>>)[kind] ??= {});
      for (const [name, part] of Object.entries(parts as object))
        put(target, name, part, `components.${kind}`);
    }
  }
  return merged;
};
