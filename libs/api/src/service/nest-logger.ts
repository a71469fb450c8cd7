import type { Logger } from '@gridbourse/observability';
import type { LoggerService } from '@nestjs/common';

/** Nest's own lines, in our form; its start-up chatter only at debug. */
export const nestLogger = (logger: Logger): LoggerService => {
  const text = (message: unknown): string => (message instanceof Error ? message.message : String(message));
  const fields = (message: unknown, rest: unknown[]): object => ({
    ...(message instanceof Error ? { err: message } : {}),
    ...(rest.length > 0 ? { nest: rest.map(String) } : {}),
  });
  return {
    log: (message: unknown, ...rest: unknown[]) => logger.debug(fields(message, rest), text(message)),
    debug: (message: unknown, ...rest: unknown[]) => logger.debug(fields(message, rest), text(message)),
    verbose: (message: unknown, ...rest: unknown[]) => logger.debug(fields(message, rest), text(message)),
    warn: (message: unknown, ...rest: unknown[]) =>
      // It warns of a second connection in the process; ours are in containers of their own and never meet.
      logger[rest.includes('DataSourceNameRegistry') ? 'debug' : 'warn'](
        fields(message, rest),
        text(message),
      ),
    error: (message: unknown, ...rest: unknown[]) => logger.error(fields(message, rest), text(message)),
    fatal: (message: unknown, ...rest: unknown[]) => logger.error(fields(message, rest), text(message)),
  };
};
