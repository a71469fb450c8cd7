import type { Value } from '../objects.ts';

/** RFC 7386: null removes, objects merge, everything else replaces. */
export const mergePatch = (target: Value | undefined, patch: Value): Value => {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const base = target !== null && typeof target === 'object' && !Array.isArray(target) ? target : {};
  const merged = { ...(base as Record<string, Value>) };
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete merged[field];
    else merged[field] = mergePatch(merged[field], value);
  }
  return merged;
};
