import { Command, InvalidArgumentError } from 'commander';
import { addBid } from './commands/bid.ts';
import { addBus } from './commands/bus.ts';
import { addEscrow } from './commands/escrow.ts';
import { addLease } from './commands/lease.ts';
import { addLogin } from './commands/login.ts';
import { addOrder } from './commands/order.ts';
import { addProvider } from './commands/provider.ts';
import { addQuote } from './commands/quote.ts';
import { addReadModels } from './commands/read-models.ts';
import { addWorkload } from './commands/workload.ts';
import { addDemo } from './demo/command.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';

const origin = (text: string): string => {
  try {
    return new URL(text).origin;
  } catch {
    throw new InvalidArgumentError('expected a URL like https://gridbourse.example');
  }
};

export const buildProgram = (): Command => {
  const program = new Command('gridbourse')
    .description('GPU compute from independent providers, paid by the second')
    .option('--json', 'one JSON value per result on standard output, nothing else')
    .option('--origin <url>', 'the platform (GRIDBOURSE_ORIGIN)', origin)
    .option('--api-key <key>', 'an API key (GRIDBOURSE_API_KEY)')
    .addHelpText('after', `\n${EXIT_CODES_HELP}`)
    .showHelpAfterError('(gridbourse --help shows everything)')
    .exitOverride();
  addLogin(program);
  addQuote(program);
  addOrder(program);
  addBid(program);
  addLease(program);
  addWorkload(program);
  addEscrow(program);
  addProvider(program);
  addBus(program);
  addReadModels(program);
  addDemo(program);
  return program;
};
