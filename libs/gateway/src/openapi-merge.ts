import type { ServiceOpenApi } from '@gridbourse/api';

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
    for (const [path, item] of Object.entries(document.paths)) put(merged.paths, path, item, 'path');
    for (const [kind, parts] of Object.entries(document.components ?? {})) {
      const target = ((merged.components as Record<string, Record<string, unknown>>)[kind] ??= {});
      for (const [name, part] of Object.entries(parts as object))
        put(target, name, part, `components.${kind}`);
    }
  }
  return merged;
};
