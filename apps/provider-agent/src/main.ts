import { createLogger } from '@gridbourse/observability';
import { readAgentConfig } from './config.ts';
import { ProviderAgent } from './provider-agent.ts';

const logger = createLogger('provider-agent');

try {
  const agent = new ProviderAgent(readAgentConfig(process.env), { logger });
  agent.start();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void agent.stop().then(() => process.exit(0)));
  }
} catch (error) {
  logger.error({ err: error }, 'the agent does not start');
  process.exitCode = 1;
}
