import type { KubeObject, LabelSelector } from '../objects.ts';
import type { ResourceKind } from '../kinds.ts';
import { badRequest } from './status.ts';

export type Matcher = (object: KubeObject) => boolean;

type Requirement = { key: string; operator: 'in' | 'notin' | 'exists' | 'absent'; values: string[] };

const satisfied = (labels: Record<string, string>, { key, operator, values }: Requirement): boolean => {
  const value = labels[key];
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notin':
      return value === undefined || !values.includes(value);
  }
};

const SET = /^\s*([^\s!=,()]+)\s+(in|notin)\s+\(([^)]*)\)\s*$/;
const EQUALITY = /^\s*([^\s!=,()]+)\s*(==|=|!=)\s*([^\s,()]*)\s*$/;
const EXISTENCE = /^\s*(!?)\s*([^\s!=,()]+)\s*$/;

/** Commas inside the parentheses of a set belong to the set. */
const splitTerms = (text: string): string[] => {
  const terms: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === '(') depth += 1;
    else if (text[i] === ')') depth -= 1;
    else if (text[i] === ',' && depth === 0) {
      terms.push(text.slice(from, i));
      from = i + 1;
    }
  }
  terms.push(text.slice(from));
  return terms.filter((term) => term.trim() !== '');
};

const parseTerm = (term: string): Requirement => {
  const set = SET.exec(term);
  if (set) {
    const values = set[3]!.split(',').map((value) => value.trim());
    return { key: set[1]!, operator: set[2] as 'in' | 'notin', values };
  }
  const equality = EQUALITY.exec(term);
  if (equality) {
    return { key: equality[1]!, operator: equality[2] === '!=' ? 'notin' : 'in', values: [equality[3]!] };
  }
  const existence = EXISTENCE.exec(term);
  if (existence) {
    return { key: existence[2]!, operator: existence[1] === '!' ? 'absent' : 'exists', values: [] };
  }
  throw badRequest(
    `unable to parse requirement: found '${term.trim()}', expected: '=', '!=', 'in' or 'notin'`,
  );
};

/** `a=b,c!=d,e in (f,g),h,!i` as the API's `labelSelector` parameter has it. */
export const labelMatcher = (text: string | null): Matcher | null => {
  if (text === null || text.trim() === '') return null;
  const requirements = splitTerms(text).map(parseTerm);
  return (object) => requirements.every((each) => satisfied(object.metadata.labels ?? {}, each));
};

/** A LabelSelector inside an object; null or absent selects nothing, an empty one everything. */
export const selectorMatches = (
  selector: LabelSelector | undefined,
  labels: Record<string, string> | undefined,
): boolean => {
  if (!selector) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (labels?.[key] !== value) return false;
  }
  return (selector.matchExpressions ?? []).every(({ key, operator, values }) => {
    const names = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: 'absent' } as const;
    const known = names[operator as keyof typeof names];
    return known !== undefined && satisfied(labels ?? {}, { key, operator: known, values: values ?? [] });
  });
};

/** The fields besides name and namespace that the real server can select by. */
const FIELDS: Record<string, RegExp> = {
  pods: /^(spec\.(nodeName|restartPolicy|schedulerName|serviceAccountName|hostNetwork)|status\.(phase|podIP|nominatedNodeName))$/,
  events:
    /^(involvedObject\.(kind|namespace|name|uid|apiVersion|resourceVersion|fieldPath)|reason|reportingComponent|source|type)$/,
  namespaces: /^status\.phase$/,
  nodes: /^spec\.unschedulable$/,
  secrets: /^type$/,
  jobs: /^status\.successful$/,
  replicasets: /^status\.replicas$/,
};

const readPath = (object: KubeObject, path: string): string => {
  let value: unknown = object;
  for (const step of path.split('.')) {
    if (value === null || typeof value !== 'object') return '';
    value = (value as Record<string, unknown>)[step];
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : '';
};

/** `metadata.name=x,status.phase!=Running`; a field that the real server does not index is refused. */
export const fieldMatcher = (kind: ResourceKind, text: string | null): Matcher | null => {
  if (text === null || text.trim() === '') return null;
  const terms = text.split(',').map((term) => {
    const match = /^\s*([^=!\s]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(term);
    if (!match) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, path, operator, value] = match as unknown as [string, string, string, string];
    if (path !== 'metadata.name' && path !== 'metadata.namespace' && !FIELDS[kind.plural]?.test(path)) {
      throw badRequest(`field label not supported: ${path}`);
    }
    return { path, equal: operator !== '!=', value };
  });
  return (object) => terms.every(({ path, equal, value }) => (readPath(object, path) === value) === equal);
};

export const matcherOf = (kind: ResourceKind, query: URLSearchParams): Matcher => {
  const labels = labelMatcher(query.get('labelSelector'));
  const fields = fieldMatcher(kind, query.get('fieldSelector'));
  return (object) => (labels?.(object) ?? true) && (fields?.(object) ?? true);
};
