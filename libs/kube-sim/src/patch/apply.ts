import { type Fields, type KubeObject, type ManagedFields, type Value } from '../objects.ts';
import {
  type FieldSet,
  fieldsOf,
  isFields,
  keyStep,
  removeAt,
  showPath,
  stepsOf,
  valueAt,
} from './field-set.ts';
import { isAtomicMap, listTypeOf } from './list-types.ts';
import { isEntryOf, makeEntry, ownable, sameValue, setOf, type Writer } from './managed-fields.ts';

export type ApplyConflict = { manager: string; apiVersion: string; field: string };

/** Fields of the applied object belong to others with other values; `force` takes them over. */
export class ApplyConflicts extends Error {
  readonly conflicts: readonly ApplyConflict[];

  constructor(conflicts: readonly ApplyConflict[]) {
    super(`Apply failed with ${conflicts.length} conflict${conflicts.length === 1 ? '' : 's'}`);
    this.conflicts = conflicts;
  }
}

const withoutNulls = (value: Value): Value => {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isFields(value)) return value;
  const kept = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(kept.map(([field, each]) => [field, withoutNulls(each)]));
};

const merge = (live: Value | undefined, applied: Value, fields: readonly string[]): Value => {
  if (Array.isArray(applied)) {
    const type = listTypeOf(fields);
    if (type.type === 'atomic' || !Array.isArray(live)) return applied;
    const result = [...live];
    for (const item of applied) {
      if (type.type === 'set') {
        if (!result.some((each) => sameValue(each, item))) result.push(item);
        continue;
      }
      const at = result.findIndex((each) => keyStep(each, type.keys) === keyStep(item, type.keys));
      if (at < 0) result.push(item);
      else result[at] = merge(result[at], item, fields);
    }
    return result;
  }
  if (!isFields(applied) || !isFields(live) || isAtomicMap(fields)) return applied;
  const result: Fields = { ...live };
  for (const [name, value] of Object.entries(applied))
    result[name] = merge(live[name], value, [...fields, name]);
  return result;
};

const isListItem = (path: string): boolean => !stepsOf(path).at(-1)!.startsWith('f:');

/**
 * Server-side apply: the applied object becomes the whole wish of its manager. Fields it wished before and no longer
 * names are removed, unless somebody else owns them too.
 * @throws ApplyConflicts without `force`, when another manager owns a field with another value
 */
export const applyPatch = (
  live: KubeObject | null,
  applied: Fields,
  writer: Writer,
  force: boolean,
): { object: Fields; managedFields: ManagedFields[]; changed: boolean } => {
  const wish = ownable(withoutNulls(applied) as Fields, writer.subresource);
  const wished = fieldsOf(wish);
  const base = live ? ownable(live, writer.subresource) : {};
  const merged = structuredClone(merge(base, wish, []) as Fields);
  const entries = live?.metadata.managedFields ?? [];

  const isMine = (entry: ManagedFields): boolean => isEntryOf(entry, writer, 'Apply');
  const sameScope = (entry: ManagedFields): boolean =>
    (entry.subresource ?? '') === (writer.subresource ?? '');
  const conflicts: ApplyConflict[] = [];
  const others: { entry: ManagedFields; fields: FieldSet }[] = [];
  for (const entry of entries) {
    if (isMine(entry)) continue;
    const fields = setOf(entry);
    if (!sameScope(entry)) {
      others.push({ entry, fields });
      continue;
    }
    const taken = fields.filter(
      (path) =>
        wished.has(path) && !isListItem(path) && !sameValue(valueAt(base, path), valueAt(merged, path)),
    );
    for (const path of taken) {
      conflicts.push({ manager: entry.manager, apiVersion: entry.apiVersion, field: showPath(path) });
    }
    const left = fields.filter((path) => !taken.has(path));
    if (left.size > 0) others.push({ entry, fields: left });
  }
  if (conflicts.length > 0 && !force) throw new ApplyConflicts(conflicts);

  const mine = entries.find(isMine);
  if (mine) {
    const owned = (path: string): boolean =>
      wished.reaches(path) || others.some(({ fields }) => fields.reaches(path));
    const dropped = [...setOf(mine)].filter((path) => !owned(path));
    // The shorter paths first: an item of a list is found by keys that are among the longer ones.
    for (const path of dropped.sort((a, b) => a.length - b.length)) removeAt(merged, path, owned);
  }
  const apiVersion = live?.apiVersion ?? (applied['apiVersion'] as string);
  const made = makeEntry(writer, 'Apply', apiVersion, wished);
  const unchangedOwner = mine !== undefined && sameValue(mine.fieldsV1, made.fieldsV1);
  const managedFields = [
    ...others.map(({ entry, fields }) => ({ ...entry, fieldsV1: fields.toFieldsV1() })),
    unchangedOwner ? mine : made,
  ];
  const changed = !live || !unchangedOwner || conflicts.length > 0 || !sameValue(base, merged);
  return { object: withOwned(live, applied, merged, writer.subresource), managedFields, changed };
};

/** Puts the owned part back into the object around it. */
const withOwned = (
  live: KubeObject | null,
  applied: Fields,
  owned: Fields,
  subresource: string | undefined,
): Fields => {
  const whole = (live ?? {}) as unknown as Fields;
  if (subresource === 'status') return { ...whole, ...owned };
  const identity = { ...((live?.metadata ?? applied['metadata'] ?? {}) as unknown as Fields) };
  for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences']) delete identity[field];
  return {
    apiVersion: whole['apiVersion'] ?? applied['apiVersion'] ?? null,
    kind: whole['kind'] ?? applied['kind'] ?? null,
    ...(whole['status'] === undefined ? {} : { status: whole['status'] }),
    ...owned,
    metadata: { ...identity, ...((owned['metadata'] ?? {}) as Fields) },
  };
};
