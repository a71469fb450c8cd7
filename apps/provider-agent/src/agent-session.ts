import { createHash } from 'node:crypto';
import type { Clock } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import type { registryV1 } from '@gridbourse/proto';
import { Wallet } from 'ethers';
import { type AgentStream, openAgentStream } from './adapters/agent-stream.ts';
import type { AgentConfig } from './config.ts';
import { challengeText, heartbeatContent, helloText } from './domain/signed-texts.ts';

export const AGENT_VERSION = '0.1.0';
/** Until the platform has said how long it may be silent. */
const WELCOME_WITHIN_MS = 10_000;

/** How a session ended. */
export type SessionEnd = {
  /** The platform took our Hello. */
  readonly welcomed: boolean;
  /** The refusal that came last, if any: `unknown_provider` means that the platform forgot us. */
  readonly refusal: registryV1.Refusal | null;
  readonly error: Error | null;
};

export type SessionParts = {
  config: Pick<AgentConfig, 'grpcTarget' | 'grpcPlaintext' | 'walletKey'>;
  providerId: string;
  /** The machines to tell now. */
  report: () => registryV1.NodeInventory[];
  clock: Clock;
  logger: Logger;
  onHeartbeat?: () => void;
};

/** One stream to the platform: Hello, then a signed heartbeat at each interval, and answers to challenges. */
export class AgentSession {
  private readonly parts: SessionParts;
  private readonly wallet: Wallet;
  private stream: AgentStream | undefined;
  private timer: NodeJS.Timeout | undefined;
  private silence: NodeJS.Timeout | undefined;
  private silenceLimitMs = WELCOME_WITHIN_MS;
  private sequence = 0;
  private welcomed = false;
  private refusal: registryV1.Refusal | null = null;
  private stopped = false;

  constructor(parts: SessionParts) {
    this.parts = parts;
    this.wallet = new Wallet(parts.config.walletKey);
  }

  /**
   * Runs until the stream ends, from whichever side.
   * @throws DomainError `platform_unreachable` when no connection comes about
   */
  async run(): Promise<SessionEnd> {
    const { config } = this.parts;
    const stream = await openAgentStream(config.grpcTarget, config.grpcPlaintext, {
      onMessage: (message) => void this.hear(message),
    });
    this.stream = stream;
    if (this.stopped) stream.close();
    else {
      this.heard();
      stream.send({ hello: await this.hello() });
    }
    const error = await stream.ended;
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    return { welcomed: this.welcomed, refusal: this.refusal, error };
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    this.stream?.close();
  }

  /** A stream may be dead with its connection alive, when something between us and the platform holds the latter. */
  private heard(): void {
    clearTimeout(this.silence);
    if (this.stopped || this.silenceLimitMs === 0) return;
    this.silence = setTimeout(() => {
      this.stream?.close(new Error(`nothing was heard of the platform for ${this.silenceLimitMs} ms`));
    }, this.silenceLimitMs);
  }

  private async hello(): Promise<registryV1.Hello> {
    const { providerId, clock } = this.parts;
    const issuedAtMs = String(clock.now());
    const signature = await this.wallet.signMessage(helloText(providerId, issuedAtMs));
    return { providerId, issuedAtMs, signature, agentVersion: AGENT_VERSION };
  }

  private async hear({ welcome, challenge, refusal }: registryV1.ConnectResponse): Promise<void> {
    if (welcome && !this.welcomed) {
      this.welcomed = true;
      this.silenceLimitMs = welcome.silenceLimitMs;
      void this.beat(welcome.heartbeatIntervalMs);
    }
    this.heard();
    if (challenge) {
      const signature = await this.wallet.signMessage(challengeText(challenge.challengeId, challenge.nonce));
      this.stream?.send({ answer: { challengeId: challenge.challengeId, signature } });
    }
    if (refusal) {
      this.refusal = refusal;
      this.parts.logger.warn(
        { code: refusal.code, reason: refusal.message },
        'the platform refused a message',
      );
    }
  }

  private async beat(intervalMs: number): Promise<void> {
    if (this.stopped) return;
    // The next one is due an interval after this one, however long the signing takes.
    this.timer = setTimeout(() => void this.beat(intervalMs), intervalMs);
    const { providerId, clock, report } = this.parts;
    this.sequence += 1;
    const content = { sequence: String(this.sequence), sentAtMs: String(clock.now()), nodes: report() };
    const digest = createHash('sha256').update(heartbeatContent(providerId, content)).digest('hex');
    const signature = await this.wallet.signMessage(digest);
    this.stream?.send({ heartbeat: { ...content, signature } });
    this.parts.onHeartbeat?.();
  }
}
