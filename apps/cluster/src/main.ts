import 'reflect-metadata';
import { membersOf, readSettings } from '@gridbourse/local-platform';
import { Command, CommanderError } from 'commander';
import { type Fault, FAULTS, inflict } from './faults.ts';
import { runCluster } from './run-cluster.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const program = new Command('npm run cluster --')
  .description('Runs the platform on this machine with Kafka, Redis, and a process for each service.')
  .option('--kill <process>', 'in another window: kill -9 a process of the running cluster')
  .option('--pause <process>', 'in another window: stop it without a word (SIGSTOP)')
  .option('--resume <process>', 'in another window: let it go on (SIGCONT)')
  .option('--ps', 'in another window: list the processes')
  .exitOverride();

const showProcesses = (dataDir: string): void => {
  const members = membersOf(dataDir);
  if (members.length === 0) say(`No cluster has run on ${dataDir}.`);
  for (const { name, pid, alive } of members) {
    say(`${name.padEnd(16)} ${alive ? `process ${pid}` : 'does not run'}`);
  }
};

try {
  program.parse();
  const options = program.opts<Partial<Record<Fault, string>> & { ps?: boolean }>();
  const faults = (Object.keys(FAULTS) as Fault[]).filter((fault) => options[fault] !== undefined);
  if (!options.ps && faults.length === 0) await runCluster();
  else {
    const { dataDir } = readSettings(process.env, '.gridbourse-cluster');
    for (const fault of faults) say(inflict(dataDir, fault, options[fault]!));
    if (options.ps) showProcesses(dataDir);
  }
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 64);
  if (!(error instanceof RangeError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(64);
}
