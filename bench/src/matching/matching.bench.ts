import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { z } from 'zod';
import { type BenchmarkContext, defineBenchmark } from '../frame/benchmark.ts';
import { rounded } from '../frame/statistics.ts';
import { durableRounds } from './durable-rounds.ts';
import { explaining } from './explanations.ts';
import { gangs } from './gangs.ts';
import { plot } from './plot.ts';
import { type TopTen, topTen } from './top-ten.ts';

type Figures = Record<string, number>;
type Into = { readonly figures: Figures; readonly peers: Figures; readonly ratios: Figures };

const count = (most: number): z.ZodInt => z.int().min(0).max(most);
const sizeName = (offers: number): string =>
  offers % 1_000_000 === 0
    ? `${offers / 1_000_000}M`
    : offers % 1_000 === 0
      ? `${offers / 1_000}k`
      : String(offers);

/** The scan takes long where there is much: fewer orders say enough. */
const scanned = (offers: number, orders: number): number =>
  Math.max(50, Math.min(orders, Math.round(20_000_000 / offers)));

const tell = ({ progress }: BenchmarkContext, { offers, indexMs, ours, scan }: TopTen): void =>
  progress(
    `${sizeName(offers).padStart(5)} offers, ten best: ${ours.perSecond}/s (${ours.perCpuSecond} a second of CPU; ` +
      `p50 ${ours.msP50} ms, p99 ${ours.msP99} ms); scan ${scan.perSecond}/s (${scan.perCpuSecond}; p99 ${scan.msP99} ms); ` +
      `indexed in ${indexMs} ms`,
  );

const growth = (
  context: BenchmarkContext,
  into: Into,
  { offers, orders, plotFile }: { offers: string; orders: number; plotFile: string },
): void => {
  const sizes = offers.split(',').map(Number);
  const runs = sizes.map((size) => {
    const run = topTen(size, orders, scanned(size, orders));
    tell(context, run);
    return run;
  });
  for (const { offers: size, indexMs, ours, scan } of runs) {
    const name = sizeName(size);
    into.figures[`topTenOf${name}PerSecond`] = ours.perSecond;
    into.figures[`topTenOf${name}PerCpuSecond`] = ours.perCpuSecond;
    into.figures[`topTenOf${name}MsP50`] = ours.msP50;
    into.figures[`topTenOf${name}MsP99`] = ours.msP99;
    into.figures[`indexing${name}Ms`] = indexMs;
    into.peers[`scanOf${name}PerSecond`] = scan.perSecond;
    into.peers[`scanOf${name}PerCpuSecond`] = scan.perCpuSecond;
    into.peers[`scanOf${name}MsP99`] = scan.msP99;
    into.ratios[`topTenOf${name}ToScan`] = rounded(ours.perCpuSecond / scan.perCpuSecond);
  }
  if (plotFile === '' || sizes.length < 2) return;
  const lines = [
    { name: 'ours', colour: '#0b6', values: runs.map(({ ours }) => ours.perCpuSecond) },
    { name: 'typed-array scan', colour: '#b33', values: runs.map(({ scan }) => scan.perCpuSecond) },
  ];
  writeFileSync(
    plotFile,
    plot('The ten best offers', { x: 'offers', y: 'orders a second of CPU' }, sizes, lines),
  );
  context.progress(`plotted in ${plotFile}`);
};

const explanations = (
  context: BenchmarkContext,
  into: Into,
  { explainedOffers, explanations: orders }: { explainedOffers: string; explanations: number },
): void => {
  for (const size of explainedOffers.split(',').map(Number)) {
    const run = explaining(size, orders);
    const name = sizeName(size);
    context.progress(
      `${name.padStart(5)} offers, why none fits: ${run.surveyCpuMs} ms of CPU (every offer asked: ${run.everyOfferCpuMs} ms; ` +
        `the first time ${run.firstMs} ms); with the smallest change ${run.wholeCpuMs} ms of CPU, p50 ${run.wholeMsP50} ms, ` +
        `p99 ${run.wholeMsP99} ms`,
    );
    into.figures[`surveyOf${name}CpuMs`] = run.surveyCpuMs;
    into.figures[`explanationOf${name}CpuMs`] = run.wholeCpuMs;
    into.figures[`explanationOf${name}MsP50`] = run.wholeMsP50;
    into.figures[`explanationOf${name}MsP99`] = run.wholeMsP99;
    into.figures[`firstSurveyOf${name}Ms`] = run.firstMs;
    into.peers[`everyOfferAsked${name}CpuMs`] = run.everyOfferCpuMs;
    into.ratios[`everyOfferToSurveyOf${name}`] = rounded(run.everyOfferCpuMs / run.surveyCpuMs);
  }
};

/** The best offers against a scan as the market grows, explanations, gangs, and durable matches through the running matchmaker. */
export const matchingBenchmark = defineBenchmark({
  name: 'matching',
  summary:
    'ten best of many offers against a typed-array scan, explanations, gangs of 256 GPUs, durable matched orders/s',
  options: z.object({
    offers: z
      .string()
      .regex(/^[1-9]\d{0,6}(,[1-9]\d{0,6})*$/)
      .default('1000,10000,100000,1000000')
      .describe('sizes of the market, separated by commas'),
    orders: count(1_000_000).default(5_000).describe('orders for each size; 0: none'),
    plotFile: z.string().default('').describe('where the SVG plot of the growth goes; empty: nowhere'),
    explanations: count(10_000).default(60).describe('orders that are told why they find no place; 0: none'),
    explainedOffers: z
      .string()
      .regex(/^[1-9]\d{0,6}(,[1-9]\d{0,6})*$/)
      .default('1000,10000,100000')
      .describe('sizes of the market for explanations, separated by commas'),
    gangs: count(100_000).default(400).describe('gangs of 256 GPUs; 0: none'),
    gangOffers: z.int().min(100).max(1_000_000).default(10_000).describe('offers that gangs are placed on'),
    providers: z.int().min(100).max(100_000).default(5_000).describe('providers for durable orders'),
    durable: count(1_000_000).default(20_000).describe('orders that are matched durably; 0: none'),
    durableRounds: z.int().min(1).max(99).default(5).describe('times that is done; the median counts'),
    concurrency: z
      .int()
      .min(1)
      .max(9_000)
      .default(2_000)
      .describe('tenants that wait for an answer at a time'),
  }),
  run: async (options, context) => {
    // A million offers as objects take more than Node's own limit.
    setFlagsFromString('--max-old-space-size=12288');
    const into: Into = { figures: {}, peers: {}, ratios: {} };
    if (options.orders > 0) growth(context, into, options);
    if (options.explanations > 0) explanations(context, into, options);
    if (options.gangs > 0) {
      const { whole, parts, divided, refusedMsP50 } = gangs(options.gangOffers, options.gangs);
      context.progress(
        `gangs of 256 GPUs: ${whole.perSecond}/s at one provider (p99 ${whole.msP99} ms), ` +
          `${parts.perSecond}/s in sixteen groups in one region (p99 ${parts.msP99} ms), ` +
          `${divided.perSecond}/s as one group divided over up to four providers (p99 ${divided.msP99} ms; ` +
          `${refusedMsP50} ms to find that there is no such place)`,
      );
      into.figures['gangs256AtOneProviderPerSecond'] = whole.perSecond;
      into.figures['gangs256AtOneProviderMsP99'] = whole.msP99;
      into.figures['gangs256InSixteenPartsPerSecond'] = parts.perSecond;
      into.figures['gangs256InSixteenPartsMsP99'] = parts.msP99;
      into.figures['gangs256DividedPerSecond'] = divided.perSecond;
      into.figures['gangs256DividedMsP99'] = divided.msP99;
      into.figures['gangs256RefusedMsP50'] = refusedMsP50;
    }
    if (options.durable > 0) {
      const { figures, peers, ratios } = await durableRounds(context, options);
      Object.assign(into.figures, figures);
      Object.assign(into.peers, peers);
      Object.assign(into.ratios, ratios);
    }
    return into;
  },
});
