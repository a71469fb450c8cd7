import { DomainError } from '@gridbourse/kernel';
import { openKeyValue } from '@gridbourse/key-value';
import { configureLogging, createLogger } from '@gridbourse/observability';
import { readFileSync } from 'node:fs';
import { type BaseConfig, baseConfig, environmentInput, parseConfig } from './base-config.ts';
import { makeBus } from './bus-config.ts';
import type { ServiceDefinition } from './definition.ts';
import { rebuildAlone } from './rebuild-alone.ts';
import { startService } from './start.ts';

const STOP_DEADLINE_MS = 10_000;

/**
 * The whole of a service's main.ts: configuration from the environment, listeners of its own, signals. With the argument
 * `rebuild`, and names of read models behind it, it makes those anew instead, beside the running service.
 */
export const runAlone = async <C extends BaseConfig>(definition: ServiceDefinition<C>): Promise<void> => {
  try {
    const input = environmentInput(definition.name, process.env, (path) => readFileSync(path, 'utf8'));
    const [task, ...names] = process.argv.slice(2);
    if (task === 'rebuild') {
      const { databaseUrl } = parseConfig(definition.name, baseConfig.pick({ databaseUrl: true }), input);
      const rebuilt = await rebuildAlone(definition, { databaseUrl }, names);
      process.stdout.write(`${JSON.stringify(rebuilt)}\n`);
      return;
    }
    const config = parseConfig(definition.name, definition.configSchema, input);
    configureLogging({ level: config.logLevel });
    const logger = createLogger(definition.name);
    const bus = makeBus(config.bus, { databaseUrl: config.databaseUrl, logger });
    await bus.start();
    const keyValue = await openKeyValue(config.keyValue, { logger });
    const service = await startService(definition, input, { bus, keyValue });
    let stopping = false;
    const stop = (signal: string): void => {
      if (stopping) return;
      stopping = true;
      logger.info({ signal }, 'stopping');
      setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
      void service
        .close()
        .then(() => Promise.all([bus.close(), keyValue.close()]))
        .then(
          () => process.exit(0),
          (error: unknown) => {
            logger.error({ err: error }, 'stop failed');
            process.exit(1);
          },
        );
    };
    process.on('SIGTERM', () => stop('SIGTERM'));
    process.on('SIGINT', () => stop('SIGINT'));
  } catch (error) {
    process.stderr.write(
      `${error instanceof DomainError ? error.message : String((error as Error)?.stack ?? error)}\n`,
    );
    process.exit(1);
  }
};
