import { benchmarks } from './benchmarks.ts';
import { UsageError } from './frame/options.ts';
import { runBench } from './frame/run.ts';

try {
  await runBench(benchmarks, process.argv.slice(2), {
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  });
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
