import type { BusLag, DeadLetter, GridbourseClient } from '@gridbourse/sdk';
import type { Command } from 'commander';
import { wholeNumber } from '../arguments.ts';
import { operatorContextOf } from '../context.ts';
import { state, table } from '../output/tables.ts';
import { knownService, SERVICES } from '../services.ts';

const ERROR_WIDTH = 60;

type Filter = { service?: string; topic?: string; key?: string; settled?: boolean; limit: number };

const servicesOf = (service: string | undefined): readonly string[] =>
  service === undefined ? SERVICES : [knownService(service)];

const lettersOf = async (
  client: GridbourseClient,
  { service, ...filter }: Filter,
): Promise<(DeadLetter & { service: string })[]> => {
  const pages = await Promise.all(
    servicesOf(service).map(async (name) => ({ name, page: await client.deadLetters(name, filter) })),
  );
  return pages.flatMap(({ name, page }) => page.items.map((letter) => ({ service: name, ...letter })));
};

const firstLine = (text: string | null): string => (text ?? '').split('\n', 1)[0]!.slice(0, ERROR_WIDTH);

/** For operators: what the services could not handle, and how far behind they are. */
export const addBus = (program: Command): void => {
  const bus = program.command('bus').description('for operators: the events between the services');
  const letters = bus.command('dead-letters').description('events that a service could not handle');

  letters
    .command('ls')
    .description('those that are open, oldest first')
    .option('--service <name>', `only of one service: ${SERVICES.join(', ')}`)
    .option('--topic <topic>', 'only from one topic')
    .option('--key <key>', 'only of one aggregate')
    .option('--settled', 'those that were replayed or skipped instead')
    .option('--limit <n>', 'at most so many of each service', wholeNumber(1, 200), 50)
    .action(async (options: Filter, command: Command) => {
      const { client, say, result } = operatorContextOf(command);
      const found = await lettersOf(client, options);
      result({ items: found });
      if (found.length === 0) return say('There are none.');
      say(
        table(
          ['service', 'id', 'topic', 'key', 'state', 'tries', 'since', 'code', 'error'],
          found.map((letter) => [
            letter.service,
            letter.id,
            letter.topic,
            letter.key,
            state(letter.state),
            String(letter.attempts),
            letter.deadAt.slice(0, 19),
            letter.errorCode ?? '-',
            firstLine(letter.error),
          ]),
        ),
      );
    });

  letters
    .command('show <service> <id>')
    .description('one of them, with its record')
    .action(async (service: string, id: string, _: unknown, command: Command) => {
      const { client, say, result } = operatorContextOf(command);
      const letter = await client.deadLetter(knownService(service), id);
      result(letter);
      const { headers, value, error, ...rest } = letter;
      say(table(['', ''], [...Object.entries(rest).map(([name, of]) => [name, String(of ?? '-')])]));
      say(`\n${error ?? ''}\n\n${JSON.stringify({ headers, value }, null, 2)}`);
    });

  letters
    .command('replay <service> <topic> <key>')
    .description('deliver what is parked of a key again, in order')
    .action(async (service: string, topic: string, key: string, _: unknown, command: Command) => {
      const { client, say, result } = operatorContextOf(command);
      await client.replayDeadLetters(knownService(service), { topic, key });
      result({ service, topic, key, accepted: true });
      say(`asked for: ${service} takes ${key} of ${topic} up again`);
    });

  letters
    .command('skip <service> <id>')
    .description('give one up, and go on behind it')
    .requiredOption('--reason <text>', 'why: it is kept')
    .action(async (service: string, id: string, options: { reason: string }, command: Command) => {
      const { client, say, result } = operatorContextOf(command);
      await client.skipDeadLetter(knownService(service), id, options.reason);
      result({ service, id, accepted: true });
      say(`asked for: ${service} skips ${id}`);
    });

  bus
    .command('lag')
    .description('events that the services have not handled yet')
    .action(async (_: unknown, command: Command) => {
      const { client, say, result } = operatorContextOf(command);
      const lags = await Promise.all(
        SERVICES.map(async (service): Promise<[string, BusLag]> => [service, await client.busLag(service)]),
      );
      result({ services: Object.fromEntries(lags) });
      say(
        table(
          ['service', 'topics', 'partitions', 'behind'],
          lags.map(([service, { partitions, lag }]) => [
            service,
            String(new Set(partitions.map(({ topic }) => topic)).size),
            String(partitions.length),
            String(lag),
          ]),
        ),
      );
    });
};
