import type { Fields, Value } from '../objects.ts';
import { KEY_DEFAULTS, listTypeOf } from './list-types.ts';

/** The strategic patch format names merge keys for a few lists that apply treats as atomic. */
const PATCH_KEYS: Record<string, string> = { taints: 'key', secrets: 'name', tolerations: '' };

const isFields = (value: Value | undefined): value is Fields =>
  value !== null && value !== undefined && typeof value === 'object' && !Array.isArray(value);

const mergeKeysOf = (path: readonly string[]): readonly string[] => {
  const type = listTypeOf(path);
  if (type.type === 'map') return [type.keys[0]!];
  const key = PATCH_KEYS[path.at(-1)!];
  return key ? [key] : [];
};

const keyText = (item: Value, keys: readonly string[]): string =>
  keys.map((key) => JSON.stringify(isFields(item) ? (item[key] ?? KEY_DEFAULTS[key] ?? null) : null)).join();

const mergeList = (target: Value[], patch: Value[], path: readonly string[]): Value[] => {
  const keys = mergeKeysOf(path);
  if (keys.length === 0) return patch;
  if (patch.some((item) => isFields(item) && item['$patch'] === 'replace')) {
    return patch.filter((item) => !(isFields(item) && item['$patch'] !== undefined));
  }
  const result = [...target];
  for (const item of patch) {
    const at = result.findIndex((each) => keyText(each, keys) === keyText(item, keys));
    if (isFields(item) && item['$patch'] === 'delete') {
      if (at >= 0) result.splice(at, 1);
    } else if (at < 0) {
      result.push(strategicMerge(undefined, item, path));
    } else {
      result[at] = strategicMerge(result[at], item, path);
    }
  }
  return result;
};

/** The strategic merge patch with its directives `$patch`, `$deleteFromPrimitiveList` and merge keys of lists. */
export const strategicMerge = (
  target: Value | undefined,
  patch: Value,
  path: readonly string[] = [],
): Value => {
  if (!isFields(patch)) return patch;
  if (patch['$patch'] === 'replace') {
    const { $patch: _directive, ...rest } = patch;
    return rest;
  }
  const merged: Fields = isFields(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith('$deleteFromPrimitiveList/')) {
      const name = field.slice(field.indexOf('/') + 1);
      const removed = Array.isArray(value) ? value : [];
      const current = merged[name];
      if (Array.isArray(current)) merged[name] = current.filter((each) => !removed.includes(each));
      continue;
    }
    if (field.startsWith('$')) continue;
    const at = [...path, field];
    if (value === null || (isFields(value) && value['$patch'] === 'delete')) {
      delete merged[field];
    } else if (Array.isArray(value)) {
      const current = merged[field];
      const list = Array.isArray(current) ? current : [];
      merged[field] =
        listTypeOf(at).type === 'set'
          ? [...list, ...value.filter((each) => !list.includes(each))]
          : mergeList(list, value, at);
    } else {
      merged[field] = strategicMerge(merged[field], value, at);
    }
  }
  return merged;
};
