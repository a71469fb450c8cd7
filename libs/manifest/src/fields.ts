import { didYouMean, quoted } from './nearest.ts';
import type { Report } from './report.ts';
import type { YamlEntry, YamlMapping, YamlNode } from './yaml-tree.ts';

/** Fields that a dialect does not have but that real files carry, each with the reason why it changes nothing. */
export type Extras = Readonly<Record<string, string>>;

/** Below these, any text may be a secret: faults say where, and never what stands there. */
const SECRET_PLACES = /\/(?:env|credentials)(?:\/|$)/;

const kindName = (node: YamlNode): string => {
  if (node.kind === 'null') return 'nothing';
  if (node.kind === 'scalar' && SECRET_PLACES.test(node.pointer)) return 'a text';
  if (node.kind === 'scalar') return quoted(node.text);
  return node.kind === 'list' ? 'a list' : 'a map';
};

/** Says what was expected at a place and what stands there. */
export const expected = (report: Report, node: YamlNode, what: string): void =>
  report.fault(node, `expected ${what}, found ${kindName(node)}`);

/** The map at a place; null, with a fault, when something else is there. */
export const asMap = (report: Report, node: YamlNode, what: string): YamlMapping | null => {
  if (node.kind === 'map') return node;
  expected(report, node, what);
  return null;
};

/** A map with a fixed set of fields. Every field must be known, and every read is of a named one. */
export class Fields {
  constructor(
    private readonly report: Report,
    readonly node: YamlMapping,
    known: readonly string[],
    extras: Extras = {},
  ) {
    for (const { key } of node.entries.values()) {
      if (known.includes(key.text)) continue;
      const reason = Object.hasOwn(extras, key.text) ? extras[key.text] : undefined;
      if (reason !== undefined)
        report.warn(key, 'ignored_field', `\`${key.text}\` changes nothing: ${reason}`);
      else
        report.fault(
          key,
          `unknown field ${quoted(key.text)}${didYouMean(key.text, known)}; known: ${known.join(', ')}`,
        );
    }
  }

  /** Null when the field is not there or says nothing. */
  get(name: string): YamlNode | null {
    const value = this.node.entries.get(name)?.value;
    return value === undefined || value.kind === 'null' ? null : value;
  }

  need(name: string, what: string): YamlNode | null {
    const value = this.get(name);
    if (value === null) this.report.fault(this.node, `\`${name}\` is missing: expected ${what}`);
    return value;
  }

  text(name: string, what: string): string | null {
    const value = this.get(name);
    return value === null ? null : readText(this.report, value, what);
  }

  needText(name: string, what: string): string | null {
    const value = this.need(name, what);
    return value === null ? null : readText(this.report, value, what);
  }

  boolean(name: string): boolean | null {
    const value = this.get(name);
    return value === null ? null : readBoolean(this.report, value);
  }

  integer(name: string, range: Range): number | null {
    const value = this.get(name);
    return value === null ? null : readInteger(this.report, value, range);
  }

  map(name: string, what: string): YamlMapping | null {
    const value = this.get(name);
    return value === null ? null : asMap(this.report, value, what);
  }

  needMap(name: string, what: string): YamlMapping | null {
    const value = this.need(name, what);
    return value === null ? null : asMap(this.report, value, what);
  }

  /** An absent field is an empty list. */
  list(name: string, what: string): readonly YamlNode[] {
    const value = this.get(name);
    if (value === null) return [];
    if (value.kind === 'list') return value.items;
    expected(this.report, value, what);
    return [];
  }
}

/** The entries of a map whose keys are names that the author chose. */
export const namedEntries = (map: YamlMapping | null): readonly YamlEntry[] =>
  map === null ? [] : [...map.entries.values()];

export const readText = (report: Report, node: YamlNode, what: string): string | null => {
  if (node.kind === 'scalar') return node.text;
  expected(report, node, what);
  return null;
};

export const readBoolean = (report: Report, node: YamlNode): boolean | null => {
  const text = node.kind === 'scalar' ? node.text.toLowerCase() : '';
  if (text === 'true' || text === 'yes') return true;
  if (text === 'false' || text === 'no') return false;
  expected(report, node, '`true` or `false`');
  return null;
};

export type Range = { readonly min: number; readonly max: number; readonly what: string };

export const readInteger = (report: Report, node: YamlNode, { min, max, what }: Range): number | null => {
  const text = node.kind === 'scalar' ? node.text.trim() : '';
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : null;
  if (value !== null && value >= min && value <= max) return value;
  expected(report, node, `${what}, a whole number from ${min} to ${max}`);
  return null;
};

/** A list of texts, or one text that stands for a list of one. Items that are numbers or booleans are read as text. */
export const readTexts = (report: Report, node: YamlNode | null, what: string): string[] => {
  if (node === null) return [];
  if (node.kind === 'scalar') return [node.text];
  if (node.kind !== 'list') {
    expected(report, node, what);
    return [];
  }
  const texts: string[] = [];
  for (const item of node.items) {
    const text = readText(report, item, 'text');
    if (text !== null) texts.push(text);
  }
  return texts;
};
