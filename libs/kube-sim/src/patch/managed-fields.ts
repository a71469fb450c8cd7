import { canonicalJson } from '@gridbourse/kernel';
import { type Fields, kubeTime, type KubeObject, type ManagedFields, type Value } from '../objects.ts';
import { FieldSet, fieldsOf } from './field-set.ts';
import { valueAt } from './field-set.ts';

/** Who wrote, for the books of field ownership. */
export type Writer = { manager: string; subresource?: string | undefined; nowMs: number };

const SERVER_FIELDS = new Set([
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
  'generateName',
]);

/**
 * The part of an object that managers can own: without identity, without what the server sets, and with either the
 * status or everything else.
 */
export const ownable = (object: Fields, subresource: string | undefined): Fields => {
  const { apiVersion: _a, kind: _k, metadata, status, ...rest } = object;
  if (subresource === 'status') return status === undefined ? {} : { status };
  const kept = Object.entries((metadata ?? {}) as Fields).filter(([field]) => !SERVER_FIELDS.has(field));
  return kept.length === 0 ? rest : { ...rest, metadata: Object.fromEntries(kept) };
};

export const setOf = (entry: ManagedFields): FieldSet => FieldSet.fromFieldsV1(entry.fieldsV1);

export const sameValue = (a: Value | undefined, b: Value | undefined): boolean =>
  (a === undefined) === (b === undefined) && (a === undefined || canonicalJson(a) === canonicalJson(b));

export const makeEntry = (
  writer: Writer,
  operation: 'Apply' | 'Update',
  apiVersion: string,
  fields: FieldSet,
): ManagedFields => ({
  manager: writer.manager,
  operation,
  apiVersion,
  time: kubeTime(writer.nowMs),
  fieldsType: 'FieldsV1',
  fieldsV1: fields.toFieldsV1(),
  ...(writer.subresource === undefined ? {} : { subresource: writer.subresource }),
});

export const isEntryOf = (entry: ManagedFields, writer: Writer, operation: 'Apply' | 'Update'): boolean =>
  entry.manager === writer.manager &&
  entry.operation === operation &&
  (entry.subresource ?? '') === (writer.subresource ?? '');

/** After a create, update or patch: the writer owns what it changed, and nobody owns what is gone. */
export const trackUpdate = (
  before: KubeObject | null,
  after: KubeObject,
  writer: Writer,
): ManagedFields[] => {
  const old = before ? ownable(before, writer.subresource) : {};
  const now = ownable(after, writer.subresource);
  const present = fieldsOf(now);
  const changed = present.filter((path) => !sameValue(valueAt(old, path), valueAt(now, path)));
  const entries: ManagedFields[] = [];
  let own = changed;
  for (const entry of before?.metadata.managedFields ?? []) {
    if ((entry.subresource ?? '') !== (writer.subresource ?? '')) {
      entries.push(entry);
      continue;
    }
    const kept = setOf(entry).filter((path) => present.has(path));
    if (isEntryOf(entry, writer, 'Update')) {
      own = own.union(kept);
      continue;
    }
    const left = kept.filter((path) => !changed.has(path));
    if (left.size > 0) entries.push({ ...entry, fieldsV1: left.toFieldsV1() });
  }
  if (own.size > 0) entries.push(makeEntry(writer, 'Update', after.apiVersion, own));
  return entries;
};
