import { canonicalJson } from '@gridbourse/kernel';
import type { Value } from '../objects.ts';

export type Operation = { op: string; path: string; from?: string; value?: Value };

/** The patch cannot be applied to this object; the API answers 422. */
export class PatchFailed extends Error {}

const tokens = (pointer: string): string[] => {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new PatchFailed(`invalid JSON pointer "${pointer}"`);
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
};

const isContainer = (value: Value | undefined): value is Value[] | Record<string, Value> =>
  value !== null && typeof value === 'object';

const read = (root: Value, path: readonly string[]): Value | undefined => {
  let value: Value | undefined = root;
  for (const token of path) {
    if (!isContainer(value)) return undefined;
    value = Array.isArray(value) ? value[Number(token)] : value[token];
  }
  return value;
};

const parentOf = (root: Value, path: readonly string[]): Value[] | Record<string, Value> => {
  const parent = read(root, path.slice(0, -1));
  if (!isContainer(parent)) throw new PatchFailed(`the path "/${path.join('/')}" does not exist`);
  return parent;
};

const add = (root: Value, path: readonly string[], value: Value): Value => {
  if (path.length === 0) return value;
  const parent = parentOf(root, path);
  const last = path.at(-1)!;
  if (!Array.isArray(parent)) {
    parent[last] = value;
    return root;
  }
  const index = last === '-' ? parent.length : Number(last);
  if (!Number.isInteger(index) || index < 0 || index > parent.length) {
    throw new PatchFailed(`index "${last}" is out of bounds`);
  }
  parent.splice(index, 0, value);
  return root;
};

const remove = (root: Value, path: readonly string[]): void => {
  const parent = parentOf(root, path);
  const last = path.at(-1)!;
  if (read(root, path) === undefined) throw new PatchFailed(`the path "/${path.join('/')}" does not exist`);
  if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
};

/**
 * RFC 6902 on a copy of the target.
 * @throws PatchFailed when a path is missing or a test does not hold; nothing is applied then
 */
export const jsonPatch = (target: Value, operations: readonly Operation[]): Value => {
  let root = structuredClone(target);
  for (const { op, path, from, value } of operations) {
    const at = tokens(path);
    switch (op) {
      case 'add':
        root = add(root, at, structuredClone(value ?? null));
        break;
      case 'remove':
        remove(root, at);
        break;
      case 'replace':
        if (at.length > 0) remove(root, at);
        root = add(root, at, structuredClone(value ?? null));
        break;
      case 'move':
      case 'copy': {
        const source = tokens(from ?? '');
        const moved = read(root, source);
        if (moved === undefined) throw new PatchFailed(`the path "${from}" does not exist`);
        const copy = structuredClone(moved);
        if (op === 'move') remove(root, source);
        root = add(root, at, copy);
        break;
      }
      case 'test':
        if (canonicalJson(read(root, at)) !== canonicalJson(value ?? null)) {
          throw new PatchFailed(`testing value ${path} failed`);
        }
        break;
      default:
        throw new PatchFailed(`unexpected operation "${op}"`);
    }
  }
  return root;
};
