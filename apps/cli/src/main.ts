#!/usr/bin/env node
import { DomainError } from '@gridbourse/kernel';
import { ApiError } from '@gridbourse/sdk';
import { CommanderError } from 'commander';
import pc from 'picocolors';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { buildProgram } from './program.ts';

const describe = (error: unknown): void => {
  const line = (text: string): void => void process.stderr.write(`${text}\n`);
  line(`${pc.red('error')}: ${error instanceof Error ? error.message : String(error)}`);
  const faults = error instanceof ApiError ? error.errors : error instanceof DomainError ? error.faults : [];
  for (const fault of faults) {
    const place =
      fault.line === undefined ? fault.pointer : `line ${fault.line}:${fault.column ?? 1} ${fault.pointer}`;
    line(`  ${place}: ${fault.message}`);
  }
  if (error instanceof ApiError)
    line(pc.dim(`  ${error.code} (${error.status}), request ${error.requestId}`));
};

// Whoever reads our output may stop reading (`| head`): that ends us, and is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  throw error;
});

try {
  await buildProgram().parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what is wrong already; help and version are no errors.
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  } else {
    describe(error);
    process.exitCode = exitCodeOf(error);
  }
}
