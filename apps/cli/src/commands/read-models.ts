import { DomainError } from '@gridbourse/kernel';
import type { ReadModel } from '@gridbourse/sdk';
import type { Command } from 'commander';
import { setTimeout as wait } from 'node:timers/promises';
import { type Context, operatorContextOf } from '../context.ts';
import { table } from '../output/tables.ts';
import { knownService, SERVICES } from '../services.ts';

const LOOK_EVERY_MS = 500;
/** From so many on they are not counted. */
const MOST_COUNTED = 100_000;

const leftOf = (left: number): string => (left >= MOST_COUNTED ? `${MOST_COUNTED} or more` : String(left));

const progressOf = ({ state, progress }: ReadModel): string =>
  progress ? `${state}: ${progress.events} events, ${leftOf(progress.left)} left` : state;

/** Shows how far it is until it has ended. @throws DomainError conflict, with the code of what went wrong */
const follow = async (
  { client, say }: Context,
  service: string,
  name: string,
  before: ReadModel,
): Promise<ReadModel> => {
  for (let shown = ''; ;) {
    const model = await client.readModel(service, name);
    if (model.failure) throw new DomainError('conflict', model.failure.code, model.failure.detail);
    // For a moment it has made the exchange and still holds its lock: another could not be begun yet.
    const exchanged = model.lastRebuild?.finishedAt !== before.lastRebuild?.finishedAt;
    if (exchanged && model.state !== 'rebuilding') return model;
    if (model.state === 'interrupted') {
      throw new DomainError(
        'conflict',
        'rebuild_interrupted',
        `${name} was interrupted: run it again to carry on`,
      );
    }
    // Between asking for it and its first step it shows nothing yet.
    const line = model.progress ? progressOf(model) : shown;
    if (line !== shown) say(line);
    shown = line;
    await wait(LOOK_EVERY_MS);
  }
};

/** For operators: tables that follow from events, and making them anew while they are served. */
export const addReadModels = (program: Command): void => {
  const models = program
    .command('read-models')
    .description('for operators: tables that follow from events, and making them anew');

  models
    .command('ls')
    .description('all of them, and how far a rebuild is')
    .option('--service <name>', `only of one service: ${SERVICES.join(', ')}`)
    .action(async (options: { service?: string }, command: Command) => {
      const { client, say, result } = operatorContextOf(command);
      const services = options.service === undefined ? SERVICES : [knownService(options.service)];
      const found = await Promise.all(
        services.map(async (service) =>
          (await client.readModels(service)).map((model) => ({ service, ...model })),
        ),
      );
      result({ items: found.flat() });
      say(
        table(
          ['service', 'model', 'tables', 'state', 'last rebuilt', 'failure'],
          found
            .flat()
            .map((model) => [
              model.service,
              model.name,
              model.tables.join(', '),
              progressOf(model),
              model.lastRebuild?.finishedAt.slice(0, 19) ?? '-',
              model.failure?.code ?? '-',
            ]),
        ),
      );
    });

  models
    .command('rebuild <service> <model>')
    .description(
      'make one anew beside the one that is served, and exchange the two; carries on one that was interrupted',
    )
    .option('--detach', 'do not wait for its end')
    .action(async (service: string, name: string, options: { detach?: boolean }, command: Command) => {
      const context = operatorContextOf(command);
      const { client, say, result } = context;
      const before = await client.readModel(knownService(service), name);
      await client.rebuildReadModel(service, name);
      if (options.detach) {
        result({ service, name, accepted: true });
        return say(`asked for: ${service} makes ${name} anew`);
      }
      const after = await follow(context, service, name, before);
      result({ service, ...after });
      say(`${name} of ${service} was made anew from ${after.lastRebuild!.events} events`);
    });

  models
    .command('abort <service> <model>')
    .description('end a rebuild, and throw away what it has made')
    .action(async (service: string, name: string, _: unknown, command: Command) => {
      const { client, say, result } = operatorContextOf(command);
      await client.abortRebuild(knownService(service), name);
      result({ service, name, accepted: true });
      say(`${service} has no rebuild of ${name} any more`);
    });
};
