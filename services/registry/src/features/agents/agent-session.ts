import { type Clock, DomainError, type Instant } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { registryV1 } from '@gridbourse/proto';
import { signedByWallet } from '../../adapters/wallet-signatures.ts';
import { checkInventory, type NodeReport } from '../../domain/inventory.ts';
import type { RegistryConfig } from '../../registry.config.ts';
import type { AgentConnection } from './agent-connection.ts';
import type { AgentHub } from './agent-hub.ts';
import { HEARTBEAT_TEXTS, helloText } from './agent-texts.ts';
import type { Challenges } from './challenges.service.ts';
import type { TelemetryMetrics } from './telemetry-metrics.ts';
import type { TrackedProvider } from './tracked-provider.ts';

export type SessionParts = {
  readonly hub: AgentHub;
  readonly challenges: Challenges;
  readonly metrics: TelemetryMetrics;
  readonly clock: Clock;
  readonly config: RegistryConfig;
  readonly logger: Logger;
};

/** A signed time may be off by so much, either way. */
const SIGNED_TIME_TOLERANCE_MS = 30_000;
/** Heartbeats that an agent may miss the answer of before it takes the stream for dead. */
const UNANSWERED_HEARTBEATS = 3;
/** Messages that wait to be handled; an agent that sends faster than that is sent away. */
const MAX_WAITING = 32;

/** `ends`: the stream is closed; otherwise only this message is left out. */
class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly ends: boolean,
  ) {
    super(message);
  }
}

const ends = (code: string, message: string): Refused => new Refused(code, message, true);
const skips = (code: string, message: string): Refused => new Refused(code, message, false);

const reportOf = (node: registryV1.NodeInventory): NodeReport => ({
  name: node.name,
  gpuModel: node.gpuModel,
  gpuSharing: node.gpuSharing,
  gpuCapacity: node.gpuCapacity,
  gpuAllocatable: node.gpuAllocatable,
  vramMiB: node.vramMib,
  cpuMillisAllocatable: node.cpuMillisAllocatable,
  memoryMiBAllocatable: node.memoryMibAllocatable,
  storageMiBAllocatable: node.storageMibAllocatable,
  ready: node.ready,
});

/**
 * One stream of an agent: Hello first, then heartbeats and answers, handled one after the other in their order. A
 * forged, stale, replayed or impossible message changes nothing.
 */
export class AgentSession {
  private provider: TrackedProvider | null = null;
  private tail: Promise<void> = Promise.resolve();
  private waiting = 0;
  private over = false;
  private sequence = 0;
  private window = { sinceMs: 0, messages: 0 };
  /** Texts that heartbeats may be signed in, the one that this agent used last first. */
  private texts = HEARTBEAT_TEXTS;

  constructor(
    private readonly parts: SessionParts,
    private readonly connection: AgentConnection,
  ) {}

  receive(message: registryV1.ConnectRequest): void {
    if (this.over) return;
    const arrivedAtMs = this.parts.clock.now();
    if (this.waiting >= MAX_WAITING || this.tooFast(arrivedAtMs)) {
      this.refuse(ends('too_many_messages', 'more messages than heartbeats and answers can be'));
      return;
    }
    this.waiting += 1;
    this.tail = this.tail.then(async () => {
      try {
        if (!this.over) await this.handle(message, arrivedAtMs);
      } catch (error) {
        this.refuse(error);
      } finally {
        this.waiting -= 1;
      }
    });
  }

  /** Refuses and ends the stream unless a Hello was taken. */
  requireHello(): void {
    if (!this.provider) this.refuse(ends('hello_expected', 'no Hello came'));
  }

  /** The stream is gone, from whichever side. */
  close(): void {
    this.over = true;
    if (this.provider) this.parts.hub.detach(this.provider, this.connection);
  }

  refuse(error: unknown): void {
    if (this.over) return;
    const refused =
      error instanceof Refused
        ? error
        : error instanceof DomainError && error.kind === 'invalid'
          ? skips(error.code, error.message)
          : skips('internal_error', 'the message could not be handled; send on');
    if (refused.code === 'internal_error') {
      this.parts.logger.error(
        { err: error, providerId: this.provider?.providerId },
        'a message of an agent failed',
      );
    } else {
      const { code, message } = refused;
      this.parts.logger.warn(
        { code, reason: message, providerId: this.provider?.providerId },
        'an agent was refused',
      );
    }
    this.connection.send({ refusal: { code: refused.code, message: refused.message } });
    if (!refused.ends) return;
    this.close();
    this.connection.end();
  }

  private async handle(message: registryV1.ConnectRequest, arrivedAtMs: Instant): Promise<void> {
    if (message.hello) return this.hello(message.hello, arrivedAtMs);
    if (!this.provider) throw ends('hello_expected', 'the first message must be Hello');
    if (message.heartbeat) return this.heartbeat(this.provider, message.heartbeat, arrivedAtMs);
    if (message.answer) return this.answer(this.provider, message.answer, arrivedAtMs);
    throw skips('malformed_message', 'the message is empty');
  }

  private async hello(hello: registryV1.Hello, arrivedAtMs: Instant): Promise<void> {
    if (this.provider) throw ends('hello_repeated', 'Hello comes once');
    const { providerId, issuedAtMs, signature } = hello;
    const issued = Number(issuedAtMs);
    if (Math.abs(arrivedAtMs - issued) > SIGNED_TIME_TOLERANCE_MS) {
      throw ends('stale_hello', 'issued_at_ms is more than 30 s off: is the clock right?');
    }
    const provider = await this.parts.hub.find(providerId);
    if (!provider) throw ends('unknown_provider', 'no provider of this id is registered');
    if (!signedByWallet(provider.wallet, helloText(providerId, issuedAtMs), signature)) {
      throw ends('invalid_signature', 'Hello was not signed by the wallet of this provider');
    }
    if (issued <= provider.lastHelloAtMs) throw ends('replayed_hello', 'this Hello was used before');
    if (this.over) return;
    provider.lastHelloAtMs = issued;
    this.provider = provider;
    this.parts.hub.attach(provider, this.connection, arrivedAtMs);
    const { heartbeatIntervalMs } = this.parts.config;
    this.connection.send({
      welcome: { heartbeatIntervalMs, silenceLimitMs: UNANSWERED_HEARTBEATS * heartbeatIntervalMs },
    });
    this.parts.logger.info(
      { providerId, agentVersion: hello.agentVersion.slice(0, 60) },
      'an agent connected',
    );
  }

  private async heartbeat(
    provider: TrackedProvider,
    heartbeat: registryV1.Heartbeat,
    arrivedAtMs: Instant,
  ): Promise<void> {
    const { hub, metrics } = this.parts;
    try {
      this.checkHeartbeat(provider, heartbeat, arrivedAtMs);
      const reports = heartbeat.nodes.map(reportOf);
      checkInventory(reports);
      await hub.heard(provider, arrivedAtMs);
      metrics.heartbeats.add(1, { result: 'taken' });
      this.connection.send({ heartbeatTaken: { sequence: heartbeat.sequence } });
      await hub.takeInventory(provider, heartbeat.nodes, reports, arrivedAtMs);
    } catch (error) {
      const code = error instanceof Refused || error instanceof DomainError ? error.code : 'internal_error';
      metrics.heartbeats.add(1, { result: code });
      throw error;
    }
  }

  private checkHeartbeat(
    provider: TrackedProvider,
    heartbeat: registryV1.Heartbeat,
    arrivedAtMs: Instant,
  ): void {
    this.sequence += 1;
    if (Number(heartbeat.sequence) !== this.sequence) {
      throw ends('sequence_broken', `expected heartbeat ${this.sequence}, got ${heartbeat.sequence}`);
    }
    if (Math.abs(arrivedAtMs - Number(heartbeat.sentAtMs)) > SIGNED_TIME_TOLERANCE_MS) {
      throw skips('stale_heartbeat', 'sent_at_ms is more than 30 s off: is the clock right?');
    }
    const signed = this.texts.find((text) =>
      signedByWallet(provider.wallet, text(provider.providerId, heartbeat), heartbeat.signature),
    );
    if (!signed)
      throw ends('invalid_signature', 'the heartbeat was not signed by the wallet of this provider');
    if (signed !== this.texts[0]) this.texts = [signed, ...this.texts.filter((text) => text !== signed)];
  }

  private answer(
    provider: TrackedProvider,
    answer: registryV1.ChallengeAnswer,
    arrivedAtMs: Instant,
  ): Promise<void> {
    const right = this.parts.challenges.answer(provider, answer.challengeId, answer.signature, arrivedAtMs);
    if (!right) throw skips('invalid_answer', 'the answer was not signed by the wallet of this provider');
    return Promise.resolve();
  }

  /** Counts messages in windows of a heartbeat interval; ten times what an agent has reason to send is too much. */
  private tooFast(arrivedAtMs: Instant): boolean {
    const { heartbeatIntervalMs, challengeMeanIntervalMs } = this.parts.config;
    if (arrivedAtMs - this.window.sinceMs >= heartbeatIntervalMs) {
      this.window = { sinceMs: arrivedAtMs, messages: 0 };
    }
    this.window.messages += 1;
    return this.window.messages > 20 + (10 * heartbeatIntervalMs) / challengeMeanIntervalMs;
  }
}
