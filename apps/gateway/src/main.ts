import { environmentInput, parseConfig } from '@gridbourse/api';
import { GrpcGateway, HttpGateway, RemoteService } from '@gridbourse/gateway';
import { DomainError } from '@gridbourse/kernel';
import { configureLogging, createLogger } from '@gridbourse/observability';
import { readFileSync } from 'node:fs';
import { gatewayConfig } from './gateway.config.ts';

const STOP_DEADLINE_MS = 5_000;

/** One public origin before services that run in processes of their own. Holds no state: run as many as you like. */
const main = async (): Promise<void> => {
  const input = environmentInput('gateway', process.env, (path) => readFileSync(path, 'utf8'));
  const config = parseConfig('gateway', gatewayConfig, input);
  configureLogging({ level: config.logLevel });
  const logger = createLogger('gateway');
  const services = Object.entries(config.services).map(
    ([name, url]) => new RemoteService({ name, url, logger }),
  );
  for (const service of services) service.start();
  const grpc = new GrpcGateway(services, logger);
  const http = new HttpGateway(services, config.links);
  await grpc.listen(config.grpcPort, config.host);
  await http.listen(config.port, config.host);
  logger.info({ port: config.port, grpcPort: config.grpcPort }, 'gateway started');

  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref();
    for (const service of services) service.close();
    void Promise.all([http.close(), grpc.close()]).then(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
};

try {
  await main();
} catch (error) {
  const text = error instanceof DomainError ? error.message : String((error as Error)?.stack ?? error);
  process.stderr.write(`${text}\n`);
  process.exit(1);
}
