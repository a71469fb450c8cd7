import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Benchmark, BenchmarkContext } from './benchmark.ts';
import { describeMachine } from './machine.ts';
import { describeOptions, parseOptions, UsageError } from './options.ts';

const RESULTS = new URL('../../results/', import.meta.url);

export type Streams = { readonly out: (text: string) => void; readonly err: (text: string) => void };

const listOf = (benchmarks: readonly Benchmark[]): string => {
  const width = Math.max(...benchmarks.map(({ name }) => name.length));
  return benchmarks.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}\n`).join('');
};

/** Cleanup steps, run last first; each runs, though others fail. */
export class Cleanups {
  private readonly steps: (() => void | Promise<void>)[] = [];

  readonly defer = (step: () => void | Promise<void>): void => void this.steps.push(step);

  /** @throws AggregateError of what failed, after all have run */
  async run(): Promise<void> {
    const errors: unknown[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop()) {
      try {
        await step();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, 'cleaning up failed');
  }
}

const onSignal = (cleanups: Cleanups): (() => void) => {
  const handler = (signal: NodeJS.Signals): void => {
    void cleanups
      .run()
      .catch(() => undefined)
      .finally(() => process.exit(signal === 'SIGINT' ? 130 : 143));
  };
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.once(signal, handler);
  return () => signals.forEach((signal) => process.off(signal, handler));
};

const save = (name: string, date: string, line: string): string => {
  mkdirSync(RESULTS, { recursive: true });
  const file = fileURLToPath(new URL(`${date.slice(0, 10)}-${name}.json`, RESULTS));
  writeFileSync(file, `${JSON.stringify(JSON.parse(line), null, 2)}\n`);
  return file;
};

/**
 * Runs what the arguments ask for: `list`, or a benchmark by name. The last line on `out` is its one JSON object.
 *
 * @throws UsageError for an unknown benchmark or an option that does not fit; whatever the benchmark throws
 */
export const runBench = async (
  benchmarks: readonly Benchmark[],
  [name, ...argv]: readonly string[],
  { out, err }: Streams,
): Promise<void> => {
  if (name === undefined || name === 'list' || name === '--help') return out(listOf(benchmarks));
  const benchmark = benchmarks.find((candidate) => candidate.name === name);
  if (!benchmark) throw new UsageError(`there is no benchmark "${name}"; these are:\n${listOf(benchmarks)}`);
  const { frame, values } = parseOptions(benchmark.options, argv);
  if (frame.help) return out(`${benchmark.summary}\n\n${describeOptions(benchmark.options)}\n`);

  const cleanups = new Cleanups();
  const heedNoMore = onSignal(cleanups);
  const context: BenchmarkContext = {
    progress: (line) => err(`${name}: ${line}\n`),
    defer: cleanups.defer,
  };
  const machine = describeMachine(new Date());
  let line: string;
  try {
    const { figures, peers, ratios } = await benchmark.run(values as never, context);
    line = JSON.stringify({ name, figures, peers, ratios, machine });
  } finally {
    await cleanups.run();
    heedNoMore();
  }
  if (frame.save) context.progress(`saved as ${save(name, machine.date, line)}`);
  out(`${line}\n`);
};
