import { canonicalJson } from '@gridbourse/kernel';
import type { Fields, Value } from '../objects.ts';
import { isAtomicMap, KEY_DEFAULTS, listTypeOf } from './list-types.ts';

/**
 * A step of a path in the notation of managed fields: `f:name` a field, `k:{"name":"c"}` a list item by key,
 * `v:"x"` a member of a set.
 */
export type Step = string;

const SEPARATOR = '\u0001';

/** A set of paths; each is kept as its steps joined into one text. */
export class FieldSet {
  private readonly paths: Set<string>;

  constructor(paths: Iterable<string> = []) {
    this.paths = new Set(paths);
  }

  get size(): number {
    return this.paths.size;
  }

  add(path: readonly Step[]): void {
    this.paths.add(path.join(SEPARATOR));
  }

  has(path: string): boolean {
    return this.paths.has(path);
  }

  *[Symbol.iterator](): Iterator<string> {
    yield* this.paths;
  }

  /** Whether this path, or one below it, is in the set. */
  reaches(path: string): boolean {
    if (this.paths.has(path)) return true;
    const prefix = `${path}${SEPARATOR}`;
    for (const each of this.paths) if (each.startsWith(prefix)) return true;
    return false;
  }

  filter(keep: (path: string) => boolean): FieldSet {
    return new FieldSet([...this.paths].filter(keep));
  }

  union(other: FieldSet): FieldSet {
    return new FieldSet([...this.paths, ...other.paths]);
  }

  /** The nested form in which managedFields show it. */
  toFieldsV1(): Fields {
    const root: Fields = {};
    for (const path of [...this.paths].sort()) {
      let level = root;
      const steps = stepsOf(path);
      steps.forEach((step, i) => {
        const next = (level[step] ??= {}) as Fields;
        if (i === steps.length - 1 && step.startsWith('k:')) next['.'] ??= {};
        level = next;
      });
    }
    return root;
  }

  static fromFieldsV1(fields: Fields): FieldSet {
    const set = new FieldSet();
    const walk = (level: Fields, path: Step[]): void => {
      const entries = Object.entries(level);
      if (entries.length === 0 || '.' in level) {
        if (path.length > 0) set.add(path);
      }
      for (const [step, below] of entries) if (step !== '.') walk(below as Fields, [...path, step]);
    };
    walk(fields, []);
    return set;
  }
}

export const stepsOf = (path: string): Step[] => path.split(SEPARATOR);

/** The path as conflicts name it: `.spec.template.spec.containers[name="c"].image`. */
export const showPath = (path: string): string =>
  stepsOf(path)
    .map((step) => {
      if (step.startsWith('f:')) return `.${step.slice(2)}`;
      if (step.startsWith('v:')) return `[=${step.slice(2)}]`;
      const keys = Object.entries(JSON.parse(step.slice(2)) as Fields);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');

export const isFields = (value: Value | undefined): value is Fields =>
  value !== null && value !== undefined && typeof value === 'object' && !Array.isArray(value);

export const keyStep = (item: Value, keys: readonly string[]): Step => {
  const key: Fields = {};
  for (const name of keys) {
    const value = isFields(item) ? (item[name] ?? KEY_DEFAULTS[name]) : undefined;
    if (value !== undefined) key[name] = value;
  }
  return `k:${canonicalJson(key)}`;
};

/** All paths that a value sets, down to scalars, atomic parts and empty containers. */
export const fieldsOf = (value: Fields): FieldSet => {
  const set = new FieldSet();
  const walk = (current: Value, steps: Step[], fields: string[]): void => {
    if (Array.isArray(current)) {
      const type = listTypeOf(fields);
      if (type.type === 'atomic' || current.length === 0) return set.add(steps);
      for (const item of current) {
        if (type.type === 'set') {
          set.add([...steps, `v:${canonicalJson(item)}`]);
        } else {
          const at = [...steps, keyStep(item, type.keys)];
          set.add(at);
          if (isFields(item)) {
            for (const [name, below] of Object.entries(item))
              walk(below, [...at, `f:${name}`], [...fields, name]);
          }
        }
      }
      return;
    }
    if (!isFields(current) || isAtomicMap(fields) || Object.keys(current).length === 0) {
      if (steps.length > 0) set.add(steps);
      return;
    }
    for (const [name, below] of Object.entries(current))
      walk(below, [...steps, `f:${name}`], [...fields, name]);
  };
  walk(value, [], []);
  return set;
};

/** The value at a path, undefined where nothing is. */
export const valueAt = (root: Value, path: string): Value | undefined => {
  let value: Value | undefined = root;
  const fields: string[] = [];
  for (const step of stepsOf(path)) {
    if (step.startsWith('f:')) {
      const name = step.slice(2);
      fields.push(name);
      value = isFields(value) ? value[name] : undefined;
    } else if (Array.isArray(value)) {
      const type = listTypeOf(fields);
      value = value.find((item) =>
        type.type === 'map' ? keyStep(item, type.keys) === step : `v:${canonicalJson(item)}` === step,
      );
    } else {
      return undefined;
    }
  }
  return value;
};

/**
 * Takes the path out of the (own, changeable) value, and the containers that became empty by that, unless they are
 * wanted empty.
 */
export const removeAt = (root: Fields, path: string, keepEmpty: (path: string) => boolean): void => {
  const steps = stepsOf(path);
  /** @returns whether the value at `steps[0..depth)` is empty now and may go */
  const remove = (value: Value | undefined, depth: number, fields: string[]): boolean => {
    const step = steps[depth]!;
    const last = depth === steps.length - 1;
    if (step.startsWith('f:')) {
      const name = step.slice(2);
      if (!isFields(value) || !(name in value)) return false;
      if (last || remove(value[name], depth + 1, [...fields, name])) delete value[name];
      return Object.keys(value).length === 0 && !keepEmpty(steps.slice(0, depth).join(SEPARATOR));
    }
    if (!Array.isArray(value)) return false;
    const type = listTypeOf(fields);
    const at = value.findIndex((item) =>
      type.type === 'map' ? keyStep(item, type.keys) === step : `v:${canonicalJson(item)}` === step,
    );
    if (at < 0) return false;
    if (last) value.splice(at, 1);
    else remove(value[at], depth + 1, fields);
    return value.length === 0 && !keepEmpty(steps.slice(0, depth).join(SEPARATOR));
  };
  remove(root, 0, []);
};
