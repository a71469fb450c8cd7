import { canonicalJson } from '@gridbourse/kernel';
import { GRPC_LOADER, type registryV1 } from '@gridbourse/proto';
import {
  type Client,
  type ClientDuplexStream,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { HDNodeWallet, Wallet } from 'ethers';
import { createHash } from 'node:crypto';

type Stream = ClientDuplexStream<registryV1.ConnectRequest, registryV1.ConnectResponse>;
type AgentClient = Client & { connect(): Stream };

const definition = loadSync('gridbourse/registry/v1/agent.proto', {
  ...GRPC_LOADER,
  includeDirs: [...GRPC_LOADER.includeDirs],
});
const AgentService = (
  ((loadPackageDefinition(definition)['gridbourse'] as GrpcObject)['registry'] as GrpcObject)[
    'v1'
  ] as GrpcObject
)['AgentService'] as ServiceClientConstructor;

export const healthyNode = (
  name: string,
  changes: Partial<registryV1.NodeInventory> = {},
): registryV1.NodeInventory => ({
  name,
  gpuModel: 'NVIDIA-H100-80GB-HBM3',
  gpuSharing: '',
  gpuCapacity: 8,
  gpuAllocatable: 8,
  vramMib: 81_559,
  cpuMillisAllocatable: 64_000,
  memoryMibAllocatable: 524_288,
  storageMibAllocatable: 1_048_576,
  ready: true,
  xidErrors: [],
  ...changes,
});

/** An agent as far as the stream goes: real gRPC, real signatures; the machines are what the test says. */
export class TestAgent {
  readonly received: registryV1.ConnectResponse[] = [];
  ended = false;
  answers = true;
  private sequence = 0;
  private readonly client: AgentClient;
  private readonly stream: Stream;

  constructor(
    target: string,
    private readonly providerId: string,
    private readonly wallet: HDNodeWallet | Wallet,
    private readonly now: () => number,
  ) {
    this.client = new AgentService(target, credentials.createInsecure()) as unknown as AgentClient;
    this.stream = this.client.connect();
    this.stream.on('data', (message: registryV1.ConnectResponse) => {
      this.received.push(message);
      if (message.challenge && this.answers) void this.answer(message.challenge);
    });
    this.stream.on('end', () => (this.ended = true));
    this.stream.on('error', () => (this.ended = true));
  }

  get refusals(): string[] {
    return this.received.flatMap((message) => (message.refusal ? [message.refusal.code] : []));
  }

  get welcomed(): boolean {
    return this.received.some((message) => message.welcome);
  }

  get challenges(): registryV1.Challenge[] {
    return this.received.flatMap((message) => (message.challenge ? [message.challenge] : []));
  }

  async hello(
    changes: { signer?: HDNodeWallet | Wallet; issuedAtMs?: number; providerId?: string } = {},
  ): Promise<void> {
    const issuedAtMs = String(changes.issuedAtMs ?? this.now());
    const providerId = changes.providerId ?? this.providerId;
    const signature = await (changes.signer ?? this.wallet).signMessage(
      `gridbourse-agent:${providerId}:${issuedAtMs}`,
    );
    this.send({ hello: { providerId, issuedAtMs, signature, agentVersion: 'test' } });
  }

  async heartbeat(
    nodes: registryV1.NodeInventory[],
    changes: {
      signer?: HDNodeWallet | Wallet;
      sentAtMs?: number;
      sequence?: number;
      numbers?: boolean;
      sentNodes?: registryV1.NodeInventory[];
    } = {},
  ): Promise<void> {
    this.sequence = changes.sequence ?? this.sequence + 1;
    const sentAtMs = changes.sentAtMs ?? this.now();
    const times = changes.numbers
      ? { sentAtMs, sequence: this.sequence }
      : { sentAtMs: String(sentAtMs), sequence: String(this.sequence) };
    const text = createHash('sha256')
      .update(canonicalJson({ nodes, providerId: this.providerId, ...times }))
      .digest('hex');
    const signature = await (changes.signer ?? this.wallet).signMessage(text);
    this.send({
      heartbeat: {
        sequence: String(this.sequence),
        sentAtMs: String(sentAtMs),
        nodes: changes.sentNodes ?? nodes,
        signature,
      },
    });
  }

  async answer(
    { challengeId, nonce }: registryV1.Challenge,
    signer: HDNodeWallet | Wallet = this.wallet,
  ): Promise<void> {
    const signature = await signer.signMessage(`gridbourse-challenge:${challengeId}:${nonce}`);
    this.send({ answer: { challengeId, signature } });
  }

  send(message: registryV1.ConnectRequest): void {
    if (!this.ended) this.stream.write(message);
  }

  /** As when the machine loses its power: no good-bye. */
  vanish(): void {
    this.stream.cancel();
    this.client.close();
  }
}
