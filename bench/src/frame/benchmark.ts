import { z } from 'zod';

/** What a benchmark found. Names end in their unit: `appendsPerSecond`, `commitMsP99`. */
export type Findings = {
  /** What is ours. */
  readonly figures: Readonly<Record<string, number>>;
  /** What it is held against, measured in the same run on the same machine. */
  readonly peers: Readonly<Record<string, number>>;
  /** Ours over a peer's: what can be compared between machines. */
  readonly ratios: Readonly<Record<string, number>>;
};

export type BenchmarkContext = {
  /** One line for whoever waits; goes to stderr. */
  readonly progress: (line: string) => void;
  /** Runs at the end, last first, also after an error or a signal. */
  readonly defer: (cleanUp: () => void | Promise<void>) => void;
};

type OptionsShape = z.ZodObject;

export type Benchmark = {
  /** What `npm run bench -- NAME` takes. */
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  readonly options: OptionsShape;
  readonly run: (options: never, context: BenchmarkContext) => Promise<Findings>;
};

/**
 * @param definition `options` is a flat zod object of numbers, strings, enums and booleans; each has a default and a
 *   description, and is given as `--its-name VALUE` (a boolean as `--its-name` or `--no-its-name`)
 */
export const defineBenchmark = <Options extends OptionsShape>(definition: {
  readonly name: string;
  readonly summary: string;
  readonly options: Options;
  readonly run: (options: z.output<Options>, context: BenchmarkContext) => Promise<Findings>;
}): Benchmark => definition;
