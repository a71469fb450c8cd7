import { GridbourseClient } from '@gridbourse/sdk';
import type { PlatformProcess } from '@gridbourse/testing/platform';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const AGENT = fileURLToPath(new URL('../../../provider-agent/dist/main.js', import.meta.url));

/** A price rule of an agent's configuration, as the JSON file has it. */
export const priceRule = (label: string, match: object, perGpuUsdcPerHour: string): object => ({
  label,
  match,
  price: {
    perGpuUsdcPerHour,
    perCpuCoreUsdcPerHour: '0.001',
    perMemoryGiBUsdcPerHour: '0.000139',
    perStorageGiBUsdcPerHour: '0.000014',
  },
  policy: { autoAccept: true, minDurationSeconds: 0, maxDurationSeconds: 2_592_000 },
  storageClasses: ['default'],
});

export type AgentProcess = {
  /** Everything that it wrote so far. */
  said(): string;
  kill(): void;
};

/** An agent in a process of its own, configured by a file, as docs/providers.md says. */
export const startAgent = async (
  platform: PlatformProcess,
  agent: { name: string; walletKey: string; kubeconfig: string; prices: readonly object[] },
): Promise<AgentProcess> => {
  const client = new GridbourseClient({
    origin: platform.origin,
    auth: { apiKey: platform.tenant.apiKey },
  });
  const { chain } = await client.escrow();
  const { contracts } = platform.read<{ deployment: { contracts: Record<string, string> } }>(
    'deployment.json',
  ).deployment;
  const config = join(platform.dataDir, `${agent.name}.config.json`);
  writeFileSync(
    config,
    JSON.stringify({
      platformOrigin: platform.origin,
      grpcTarget: `127.0.0.1:${platform.grpcPort}`,
      grpcPlaintext: true,
      walletKey: agent.walletKey,
      provider: {
        name: agent.name,
        place: { country: 'FR', city: 'Paris', location: { latitude: 48.86, longitude: 2.35 } },
      },
      kubeconfig: agent.kubeconfig,
      chain: {
        ...{ rpcUrl: chain.rpcUrl, chainId: chain.chainId, token: chain.usdc },
        providerRegistry: contracts['ProviderRegistry'],
        stakeMicros: '1000000000',
        mintStake: true,
      },
      prices: agent.prices,
      inventoryEveryMs: 1_000,
    }),
  );
  const child = spawn(process.execPath, [AGENT], {
    env: { ...process.env, NODE_OPTIONS: '', PROVIDER_AGENT_CONFIG: config },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  return { said: () => said, kill: () => void child.kill('SIGKILL') };
};
