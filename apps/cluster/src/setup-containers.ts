// Runs once before the services of docker-compose.yml: deploys the contracts, and writes everybody's configuration.
import { openDataDir } from '@gridbourse/infra';
import {
  databaseOf,
  ensureContracts,
  ensureSealingKey,
  type MarketSettings,
} from '@gridbourse/local-platform';
import { z } from 'zod';
import { gatewayConfigOf, hasGrpc, serviceConfigs, type Site } from './service-configs.ts';

const HTTP_PORT = 8_000;
const GRPC_PORT = 9_000;
/**
 * Gateway, orchestrator and the local market share one network: the market signs in at the public origin, and its clusters
 * listen on 127.0.0.1, where the orchestrator must reach them.
 */
const BESIDE_GATEWAY = 'orchestrator';

/** GRIDBOURSE_SETUP_…, each in upper snake case. */
const settings = z
  .object({
    GRIDBOURSE_SETUP_DIR: z.string().min(1),
    GRIDBOURSE_SETUP_PUBLIC_ORIGIN: z.url(),
    GRIDBOURSE_SETUP_PUBLIC_RPC_URL: z.url(),
    GRIDBOURSE_SETUP_RPC_URL: z.url(),
    /** Without the database. */
    GRIDBOURSE_SETUP_POSTGRES_URL: z
      .string()
      .regex(/^postgres:\/\/[^/]+$/, 'postgres://user:password@host:port'),
    GRIDBOURSE_SETUP_KAFKA: z.string().min(1),
    GRIDBOURSE_SETUP_REDIS_URL: z.string().startsWith('redis'),
    LOG_LEVEL: z.string().default('info'),
  })
  .safeParse(process.env);
if (!settings.success) {
  const faults = settings.error.issues.map(({ path, message }) => `  ${path.join('.')}: ${message}`);
  process.stderr.write(`the set-up cannot begin:\n${faults.join('\n')}\n`);
  process.exit(64);
}
const given = settings.data;

const dir = openDataDir(given.GRIDBOURSE_SETUP_DIR, 'setup-containers');
const deployment = await ensureContracts(dir, { url: given.GRIDBOURSE_SETUP_RPC_URL });
const site: Site = {
  publicOrigin: given.GRIDBOURSE_SETUP_PUBLIC_ORIGIN,
  gatewayUrl: 'http://gateway:8080',
  rpcUrl: given.GRIDBOURSE_SETUP_RPC_URL,
  publicRpcUrl: given.GRIDBOURSE_SETUP_PUBLIC_RPC_URL,
  deployment,
  sealingKey: await ensureSealingKey(dir),
  kafkaBrokers: given.GRIDBOURSE_SETUP_KAFKA.split(','),
  redisUrl: given.GRIDBOURSE_SETUP_REDIS_URL,
  // The networks that container engines give: nobody else reaches the services.
  trustedProxies: ['127.0.0.1', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
  logLevel: given.LOG_LEVEL,
  databaseUrl: (service) => `${given.GRIDBOURSE_SETUP_POSTGRES_URL}/${databaseOf(service)}`,
  listener: (service) => ({
    host: '0.0.0.0',
    httpPort: HTTP_PORT,
    grpcPort: hasGrpc(service) ? GRPC_PORT : 0,
    origin: `http://${service === BESIDE_GATEWAY ? '127.0.0.1' : service}:${HTTP_PORT}`,
  }),
};
for (const [name, config] of Object.entries(serviceConfigs(site))) dir.write(`${name}.json`, config);
dir.write(
  'gateway.json',
  gatewayConfigOf(site, { host: '0.0.0.0', port: 8_080, grpcPort: 8_081, links: {} }),
);
dir.write('market.json', {
  dataDir: '/market',
  platformOrigin: site.publicOrigin,
  grpcTarget: '127.0.0.1:8081',
  rpcUrl: site.rpcUrl,
  deployment,
} satisfies Omit<MarketSettings, 'build'>);
dir.release();
process.stdout.write(
  `ComputeMarket at ${deployment.contracts.ComputeMarket}; configuration in ${dir.path}\n`,
);
