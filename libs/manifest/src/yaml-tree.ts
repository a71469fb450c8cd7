import {
  Composer,
  type CST,
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  Parser,
  type ParsedNode,
  type YAMLMap,
} from 'yaml';
import { mendQuotedIndentation } from './quoted-indentation.ts';
import type { Report } from './report.ts';
import { syntaxFault } from './yaml-faults.ts';
import { measureText, measureTokens, YAML_LIMITS } from './yaml-limits.ts';

/** 1-based. */
export type Place = { readonly line: number; readonly column: number };

type Common = Place & { readonly pointer: string };
export type YamlScalar = Common & {
  readonly kind: 'scalar';
  /** As written for plain text, as meant for quoted text: `2.0` stays `2.0`. */
  readonly text: string;
  readonly quoted: boolean;
};
export type YamlNull = Common & { readonly kind: 'null' };
export type YamlList = Common & { readonly kind: 'list'; readonly items: readonly YamlNode[] };
export type YamlEntry = { readonly key: Common & { readonly text: string }; readonly value: YamlNode };
export type YamlMapping = Common & { readonly kind: 'map'; readonly entries: ReadonlyMap<string, YamlEntry> };
export type YamlNode = YamlScalar | YamlNull | YamlList | YamlMapping;

const NULL_TEXT = /^(?:~|null|Null|NULL)?$/;

/** Adds one step to a JSON pointer (RFC 6901). */
export const pointerTo = (pointer: string, step: string | number): string =>
  `${pointer}/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`;

/**
 * Reads one YAML document into a small tree that keeps every place and the text as written. Faults go to the report;
 * null when there is nothing to go on with.
 */
export const readYaml = (text: string, report: Report): YamlNode | null => {
  const start = { pointer: '', line: 1, column: 1 };
  if (Buffer.byteLength(text) > YAML_LIMITS.bytes) {
    report.fault(start, `the manifest is larger than ${YAML_LIMITS.bytes / 1024} KiB`);
    return null;
  }
  const attempt = compose(text, report);
  if (attempt === null) return null;
  const mended = attempt.document.errors.length > 0 ? mend(text, attempt, report) : attempt;
  const { document, lines } = mended;
  if (document.errors.length > 0) {
    for (const error of document.errors) {
      const at = lines.linePos(error.pos[0]);
      report.fault(
        { pointer: '', line: Math.max(1, at.line), column: Math.max(1, at.col) },
        `not valid YAML: ${syntaxFault(error.code)}`,
      );
    }
    return null;
  }
  return new TreeBuilder(document, lines, report).build();
};

type Composed = { readonly document: Document.Parsed; readonly lines: LineCounter };

const compose = (text: string, report: Report): Composed | null => {
  const lines = new LineCounter();
  const tokens: CST.Token[] = [];
  const size = { values: 0 };
  let excess = measureText(text);
  for (const token of excess === null ? new Parser(lines.addNewLine).parse(text) : []) {
    excess ??= measureTokens(token, size);
    if (excess !== null) break;
    tokens.push(token);
  }
  if (excess !== null) {
    const before = text.slice(0, excess.offset).split('\n');
    report.fault({ pointer: '', line: before.length, column: before.at(-1)!.length + 1 }, excess.message);
    return null;
  }
  const documents = [
    ...new Composer({ uniqueKeys: false, keepSourceTokens: false }).compose(tokens, true, text.length),
  ];
  if (documents.length > 1) {
    const at = lines.linePos(documents[1]!.range[0]);
    report.fault({ pointer: '', line: at.line, column: at.col }, 'expected one YAML document, found another');
    return null;
  }
  const document = documents[0];
  if (document === undefined) {
    report.fault({ pointer: '', line: 1, column: 1 }, 'the manifest is empty');
    return null;
  }
  return { document, lines };
};

/** The networks' own parsers accept quoted text whose next lines are not indented; YAML 1.2 does not. */
const mend = (text: string, attempt: Composed, report: Report): Composed => {
  const mended = mendQuotedIndentation(text, (candidate) => {
    const composed = compose(candidate, report);
    return composed?.document.errors.map((error) => ({ code: error.code, offset: error.pos[0] })) ?? null;
  });
  if (mended === null) return attempt;
  report.warn(
    { pointer: '', line: mended.line, column: 1 },
    'quoted_text_not_indented',
    'quoted text goes on in a line that is not indented; it was read as if it were',
  );
  return compose(mended.text, report) ?? attempt;
};

class TreeBuilder {
  private values = 0;
  private aliases = 0;
  private failed = false;
  /** An alias means the last anchor of its name before it; the tree is built in the order of the text. */
  private readonly anchors = new Map<string, unknown>();
  private inAlias = 0;

  constructor(
    private readonly document: Document.Parsed,
    private readonly lines: LineCounter,
    private readonly report: Report,
  ) {}

  build(): YamlNode | null {
    const root = this.convert(this.document.contents, '', { line: 1, column: 1 }, 0);
    return this.failed ? null : root;
  }

  private placeOf(node: { range?: readonly number[] | null | undefined } | null, fallback: Place): Place {
    const offset = node?.range?.[0];
    if (offset === undefined) return fallback;
    const { line, col } = this.lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }

  private remember(node: unknown): void {
    if (this.inAlias === 0 && isNode(node) && !isAlias(node) && node.anchor)
      this.anchors.set(node.anchor, node);
  }

  private stop(at: Common, message: string): YamlNull {
    if (!this.failed) this.report.fault(at, message);
    this.failed = true;
    return { kind: 'null', ...at };
  }

  private convert(node: unknown, pointer: string, fallback: Place, depth: number): YamlNode {
    const at: Common = { pointer, ...this.placeOf(node as ParsedNode | null, fallback) };
    this.values += 1;
    if (this.failed) return { kind: 'null', ...at };
    if (this.values > YAML_LIMITS.values) return this.stop(at, `more than ${YAML_LIMITS.values} values`);
    if (depth > YAML_LIMITS.depth) return this.stop(at, `nested more than ${YAML_LIMITS.depth} levels deep`);

    if (isAlias(node)) {
      this.aliases += 1;
      if (this.aliases > YAML_LIMITS.aliases)
        return this.stop(at, `more than ${YAML_LIMITS.aliases} aliases`);
      const target = this.anchors.get(node.source);
      if (target === undefined)
        return this.stop(at, 'no anchor before this alias has its name; quote a text that starts with `*`');
      this.inAlias += 1;
      const converted = this.convert(target, pointer, at, depth + 1);
      this.inAlias -= 1;
      return converted;
    }
    this.remember(node);
    if (isNode(node) && node.tag !== undefined) {
      this.report.warn(at, 'ignored_tag', 'tags change nothing: the place decides how a value is read');
    }
    if (isScalar(node)) {
      const quoted = node.type !== 'PLAIN' && node.type !== undefined;
      const text = node.source ?? '';
      if (!quoted && NULL_TEXT.test(text)) return { kind: 'null', ...at };
      return { kind: 'scalar', ...at, text, quoted };
    }
    if (isSeq(node)) {
      const items = node.items.map((item, i) => this.convert(item, pointerTo(pointer, i), at, depth + 1));
      return { kind: 'list', ...at, items };
    }
    if (isMap(node)) return { kind: 'map', ...at, entries: this.convertEntries(node, at, depth) };
    return { kind: 'null', ...at };
  }

  private convertEntries(map: YAMLMap, at: Common, depth: number): Map<string, YamlEntry> {
    const entries = new Map<string, YamlEntry>();
    const merged: YamlEntry[] = [];
    for (const pair of map.items) {
      if (!isPair(pair)) continue;
      this.remember(pair.key);
      const keyNode = isAlias(pair.key) ? this.anchors.get(pair.key.source) : pair.key;
      const place = this.placeOf(pair.key as ParsedNode | null, at);
      if (!isScalar(keyNode)) {
        this.report.fault({ pointer: at.pointer, ...place }, 'expected a name, found a list or a map as key');
        continue;
      }
      const text = keyNode.source ?? '';
      const pointer = pointerTo(at.pointer, text);
      const value = this.convert(pair.value, pointer, place, depth + 1);
      if (text === '<<' && keyNode.type === 'PLAIN') {
        merged.push(...this.mergedEntries(value));
        continue;
      }
      if (entries.has(text))
        this.report.fault({ pointer, ...place }, `the key \`${text.slice(0, 60)}\` occurs twice`);
      entries.set(text, { key: { text, pointer, ...place }, value });
    }
    for (const entry of merged) if (!entries.has(entry.key.text)) entries.set(entry.key.text, entry);
    return entries;
  }

  private mergedEntries(value: YamlNode): YamlEntry[] {
    if (value.kind === 'map') return [...value.entries.values()];
    if (value.kind === 'list') return value.items.flatMap((item) => this.mergedEntries(item));
    this.report.fault(value, 'expected a map to merge');
    return [];
  }
}
