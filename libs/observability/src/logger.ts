import pino from 'pino';
import { currentScope } from './scope.ts';

/** Structured first, text second; never a secret in either. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

let root: pino.Logger | undefined;

/** Where lines go and from which level on. Call it before the first logger is made; the default is stdout, info. */
export const configureLogging = (options: { level?: LogLevel; file?: string }): void => {
  const destination = pino.destination(
    options.file === undefined
      ? { dest: 1, sync: true }
      : { dest: options.file, append: true, mkdir: true, sync: true },
  );
  root = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: pino.stdSerializers.err, error: pino.stdSerializers.err },
      mixin: () => {
        const scope = currentScope();
        if (!scope) return {};
        const { traceId, spanId, requestId } = scope;
        return requestId === undefined ? { traceId, spanId } : { traceId, spanId, requestId };
      },
    },
    destination,
  );
};

/** One process may hold several services: each line bears the name its logger was made with. */
export const createLogger = (service: string): Logger => {
  if (!root) configureLogging({ level: (process.env['LOG_LEVEL'] as LogLevel | undefined) ?? 'info' });
  return root!.child({ service });
};

/** Swallows everything; for tests that provoke errors on purpose. */
export const silentLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
