import type { Container, Pod } from '../objects.ts';

/** What a container does, as far as its command says so. */
export type RunPlan = {
  /** Milliseconds until it ends by itself; null when it runs until it is stopped. */
  readonly endsAfterMs: number | null;
  readonly exitCode: number;
  /** Lines it prints, with the milliseconds after its start. */
  readonly output: readonly { atMs: number; text: string }[];
};

const FOREVER: RunPlan = { endsAfterMs: null, exitCode: 0, output: [] };
const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `5`, `5s`, `1.5m`, `200ms`; NaN when it is no duration, Infinity for `infinity`. */
export const parseDurationMs = (text: string): number => {
  if (text === 'infinity' || text === 'inf') return Number.POSITIVE_INFINITY;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text);
  return match ? Math.round(Number(match[1]) * UNITS[match[2] ?? 's']!) : Number.NaN;
};

const SHELLS = /^(?:\/(?:usr\/)?bin\/)?(?:ba|da|a)?sh$/;

const unquote = (text: string, env: ReadonlyMap<string, string>): string =>
  text
    .trim()
    .replace(/^(["'])(.*)\1$/s, '$2')
    .replace(/\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?/g, (_, name: string) => env.get(name) ?? '');

/** Statements of a script at its top level; quotes protect separators. Null where it uses more of the shell than that. */
const statements = (script: string): { text: string; after: ';' | '&&' | '||' }[] | null => {
  if (
    /[`|](?!\|)|\$\(|(^|[\s;])(while|for|until|if|case|function)\s|<<|[^&]&([^&]|$)/.test(
      script.replaceAll('||', ''),
    )
  )
    return null;
  const found: { text: string; after: ';' | '&&' | '||' }[] = [];
  let text = '';
  let quote = '';
  let after: ';' | '&&' | '||' = ';';
  for (let i = 0; i < script.length; i += 1) {
    const char = script[i]!;
    const pair = script.slice(i, i + 2);
    if (quote !== '') {
      if (char === quote) quote = '';
      text += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      text += char;
    } else if (char === ';' || char === '\n' || pair === '&&' || pair === '||') {
      found.push({ text: text.trim(), after });
      after = pair === '&&' || pair === '||' ? pair : ';';
      if (after !== ';') i += 1;
      text = '';
    } else {
      text += char;
    }
  }
  found.push({ text: text.trim(), after });
  return found.filter((each) => each.text !== '' && !each.text.startsWith('#'));
};

/** Runs the few commands whose course can be told without running them: sleep, exit, echo, true, false, set. */
const planScript = (script: string, env: ReadonlyMap<string, string>): RunPlan => {
  const list = statements(script);
  if (!list) return FOREVER;
  let atMs = 0;
  let code = 0;
  const output: { atMs: number; text: string }[] = [];
  for (const { text, after } of list) {
    if ((after === '&&' && code !== 0) || (after === '||' && code === 0)) continue;
    const [command = '', ...rest] = text.replace(/^exec\s+/, '').split(/\s+/);
    if (command === 'sleep' && rest.length === 1) {
      const ms = parseDurationMs(unquote(rest[0]!, env));
      if (Number.isNaN(ms)) return FOREVER;
      if (ms === Number.POSITIVE_INFINITY) return { ...FOREVER, output };
      atMs += ms;
      code = 0;
    } else if (command === 'exit') {
      return { endsAfterMs: atMs, exitCode: rest[0] === undefined ? code : Number(rest[0]) & 255, output };
    } else if (command === 'echo') {
      output.push({ atMs, text: unquote(text.slice(text.indexOf('echo') + 4), env) });
      code = 0;
    } else if (command === 'true' || command === ':' || command === 'set' || command === 'cd') {
      code = 0;
    } else if (command === 'false') {
      code = 1;
    } else {
      return { ...FOREVER, output };
    }
  }
  return { endsAfterMs: atMs, exitCode: code, output };
};

/**
 * The plan of a container: annotations of its pod first, then its command. An unknown command runs until stopped.
 * @param env the variables of the container, for commands that name them
 */
export const planOf = (
  pod: Pod,
  container: Container,
  env: ReadonlyMap<string, string> = new Map(),
): RunPlan => {
  const notes = pod.metadata.annotations ?? {};
  const runFor = notes['sim/run-for'];
  if (runFor !== undefined) {
    const ms = parseDurationMs(runFor);
    if (Number.isFinite(ms))
      return { endsAfterMs: ms, exitCode: Number(notes['sim/exit-code'] ?? 0), output: [] };
  }
  const argv = [...(container.command ?? []), ...(container.args ?? [])];
  const plan = planArguments(argv, env);
  const exitCode = notes['sim/exit-code'];
  if (exitCode === undefined) return plan;
  return { ...plan, endsAfterMs: plan.endsAfterMs ?? 0, exitCode: Number(exitCode) };
};

const planArguments = (argv: readonly string[], env: ReadonlyMap<string, string>): RunPlan => {
  const [first = '', second = '', third] = argv;
  if (argv.length === 0) return FOREVER;
  if (SHELLS.test(first) && /^-[a-z]*c$/.test(second) && third !== undefined) return planScript(third, env);
  const name = first.split('/').at(-1)!;
  if (argv.length === 1 && /\s/.test(first)) return planScript(first, env);
  if (['sleep', 'true', 'false', 'echo'].includes(name))
    return planScript([name, ...argv.slice(1)].join(' '), env);
  if (name === 'exit') return planScript(argv.join(' '), env);
  return FOREVER;
};
