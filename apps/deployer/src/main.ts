// Deploys the contracts: npm run deploy -- --profile …
import { DomainError } from '@gridbourse/kernel';
import { runDeploy } from './run-deploy.ts';
import { readSettings, USAGE } from './settings.ts';

const EXIT_USAGE = 64;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (process.argv.includes('--help')) {
  say(USAGE);
} else {
  try {
    await runDeploy(readSettings(process.argv.slice(2), process.env), say);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    process.stderr.write(`${error.message}\n`);
    for (const { pointer, message } of error.faults) process.stderr.write(`  ${pointer}: ${message}\n`);
    const isUsage = error.code === 'invalid_arguments' || error.code === 'unknown_profile';
    if (isUsage) process.stderr.write(`\n${USAGE}`);
    process.exitCode = isUsage ? EXIT_USAGE : 1;
  }
}
