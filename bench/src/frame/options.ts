import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import { z } from 'zod';

/** What was typed does not fit: the message says what and the exit code is 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Property = {
  readonly type?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly enum?: readonly unknown[];
};

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

const propertiesOf = (options: z.ZodObject): [string, Property][] =>
  Object.entries((z.toJSONSchema(options, { io: 'input' }).properties ?? {}) as Record<string, Property>);

const isNumber = ({ type }: Property): boolean => type === 'number' || type === 'integer';

/** The options of the frame itself, for every benchmark. */
export type FrameOptions = { readonly help: boolean; readonly save: boolean };

/**
 * @param argv what follows the benchmark's name
 * @throws UsageError for an unknown option, a value of another kind, or one outside its limits
 */
export const parseOptions = <Options extends z.ZodObject>(
  options: Options,
  argv: readonly string[],
): { frame: FrameOptions; values: z.output<Options> } => {
  const properties = propertiesOf(options);
  const config: ParseArgsOptionsConfig = {
    help: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  };
  for (const [name, { type }] of properties) {
    config[kebab(name)] = { type: type === 'boolean' ? 'boolean' : 'string' };
  }
  let given: Record<string, unknown>;
  try {
    given = parseArgs({ args: [...argv], options: config, allowNegative: true, strict: true }).values;
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
  const input: Record<string, unknown> = {};
  for (const [name, property] of properties) {
    const value = given[kebab(name)];
    // An empty text would become the number 0.
    if (value !== undefined) input[name] = isNumber(property) && value !== '' ? Number(value) : value;
  }
  const parsed = options.safeParse(input);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `--${kebab(String(issue.path[0]))}: ${issue.message}`);
    throw new UsageError(faults.join('\n'));
  }
  return {
    frame: { help: given['help'] === true, save: given['save'] === true },
    values: parsed.data,
  };
};

/** One line an option: name, default, what it means. */
export const describeOptions = (options: z.ZodObject): string => {
  const lines = propertiesOf(options).map(([name, property]): [string, string] => [
    `--${kebab(name)}${property.type === 'boolean' ? '' : ` ${property.enum?.join('|') ?? property.type ?? 'value'}`}`,
    `${property.description ?? ''} (${JSON.stringify(property.default)})`,
  ]);
  lines.push(['--save', 'writes the result to bench/results as well'], ['--help', 'shows this']);
  const width = Math.max(...lines.map(([option]) => option.length));
  return lines.map(([option, text]) => `  ${option.padEnd(width)}  ${text}`).join('\n');
};
