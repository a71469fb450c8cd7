import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { type BenchmarkContext, defineBenchmark } from './benchmark.ts';
import { runBench } from './run.ts';

const undone: string[] = [];

const counting = defineBenchmark({
  name: 'counting',
  summary: 'counts',
  options: z.object({
    mostRounds: z.int().min(1).max(9).default(2).describe('how often'),
    mode: z.enum(['fast', 'slow']).default('fast').describe('how'),
    warm: z.boolean().default(true).describe('warms up first'),
    label: z.string().default('none').describe('a name'),
  }),
  run: ({ mostRounds, mode, warm, label }, context: BenchmarkContext) => {
    context.defer(() => void undone.push('first'));
    context.defer(() => Promise.resolve(undone.push('second')).then(() => undefined));
    if (label === 'broken') return Promise.reject(new Error('broken on purpose'));
    context.progress(`${mode} ${warm} ${label}`);
    return Promise.resolve({
      figures: { rounds: mostRounds },
      peers: { limit: 9 },
      ratios: { share: mostRounds / 9 },
    });
  },
});

const bench = async (...argv: string[]): Promise<{ out: string; err: string }> => {
  const said = { out: '', err: '' };
  await runBench([counting], argv, {
    out: (text) => (said.out += text),
    err: (text) => (said.err += text),
  });
  return said;
};

describe('the bench frame', () => {
  it('lists the benchmarks with a line each', async () => {
    expect((await bench('list')).out).toBe('counting  counts\n');
    expect((await bench()).out).toBe('counting  counts\n');
  });

  it('ends with one JSON object, and tells its progress elsewhere', async () => {
    const { out, err } = await bench('counting');
    expect(err).toBe('counting: fast true none\n');
    const lines = out.trimEnd().split('\n');
    expect(JSON.parse(lines.at(-1)!)).toEqual({
      name: 'counting',
      figures: { rounds: 2 },
      peers: { limit: 9 },
      ratios: { share: 2 / 9 },
      machine: {
        cores: expect.any(Number),
        cpu: expect.any(String),
        memoryGiB: expect.any(Number),
        node: process.version,
        date: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      },
    });
  });

  it('takes options by name', async () => {
    const { out, err } = await bench(
      'counting',
      '--most-rounds',
      '7',
      '--mode=slow',
      '--no-warm',
      '--label',
      '7',
    );
    expect(JSON.parse(out)).toMatchObject({ figures: { rounds: 7 } });
    expect(err).toBe('counting: slow false 7\n');
  });

  it.each([
    ['an unknown option', ['--fast']],
    ['a word that belongs to no option', ['fast']],
    ['a number outside its limits', ['--most-rounds', '10']],
    ['a fraction where a count is asked', ['--most-rounds', '1.5']],
    ['no number', ['--most-rounds', 'many']],
    ['an empty number', ['--most-rounds=']],
    ['a value that is none of the choices', ['--mode', 'medium']],
    ['an option without its value', ['--most-rounds']],
  ])('refuses %s', async (_, argv) => {
    await expect(bench('counting', ...argv)).rejects.toMatchObject({ name: 'UsageError' });
  });

  it('refuses a benchmark that is not there, and names those that are', async () => {
    await expect(bench('counting2')).rejects.toThrow(/counting2.*\ncounting {2}counts/);
  });

  it('explains the options with their defaults', async () => {
    const { out } = await bench('counting', '--help');
    expect(out).toContain('--most-rounds integer  how often (2)');
    expect(out).toContain('--mode fast|slow');
  });

  it('cleans up, last first, also after an error', async () => {
    undone.length = 0;
    await bench('counting');
    expect(undone).toEqual(['second', 'first']);
    await expect(bench('counting', '--label', 'broken')).rejects.toThrow('broken on purpose');
    expect(undone).toEqual(['second', 'first', 'second', 'first']);
  });
});
