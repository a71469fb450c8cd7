import { CLOCK, LOGGER, METER, Readiness, SERVICE_CONFIG } from '@gridbourse/api';
import { DurableSigner, HttpRpc, SignerStore } from '@gridbourse/chain';
import type { Clock } from '@gridbourse/kernel';
import type { Logger, Meter } from '@gridbourse/observability';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import type { BillingConfig } from '../billing.config.ts';
import { TransactionOutcomes } from '../features/relaying/transaction-outcomes.ts';
import { type ChainIntent, Relayer } from './relayer.ts';

/** FNV-1a, 32 bits: spreads shard keys evenly over operator keys, the same at every start. */
export const shardOf = (shardKey: string, shards: number): number => {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(shardKey)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % shards;
};

/** One durable signer for each operator key; leases are spread over them, so that one slow nonce holds back few. */
@Injectable()
export class SignerRelayer extends Relayer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly signers: readonly DurableSigner[];
  private readonly market: string;

  constructor(
    outcomes: TransactionOutcomes,
    dataSource: DataSource,
    readiness: Readiness,
    @Inject(SERVICE_CONFIG) config: BillingConfig,
    @Inject(CLOCK) clock: Clock,
    @Inject(LOGGER) logger: Logger,
    @Inject(METER) meter: Meter,
  ) {
    super();
    this.market = config.deployment.contracts.ComputeMarket;
    const store = new SignerStore(dataSource);
    const rpc = new HttpRpc(config.rpcUrl);
    this.signers = config.operatorKeys.map((key) => new DurableSigner({ store, rpc, key, clock, logger }));
    for (const signer of this.signers) {
      signer.onSigned((signed, manager) => outcomes.onSigned(signed, manager));
      signer.onOutcome((outcome, manager) => outcomes.onOutcome(outcome, manager));
    }
    readiness.add('relayer', () => this.check());
    meter
      .createObservableGauge('gridbourse_relayer_in_flight', {
        description: 'Transactions that wait for a block',
      })
      .addCallback((result) => {
        for (const signer of this.signers) {
          result.observe(signer.status().inFlight, { signer: signer.address });
        }
      });
  }

  async request(manager: EntityManager, intents: readonly ChainIntent[]): Promise<void> {
    for (const { id, data, shardKey } of intents) {
      const signer = this.signers[shardOf(shardKey, this.signers.length)]!;
      await signer.enqueue(manager, { id, to: this.market, data });
    }
  }

  wake(): void {
    for (const signer of this.signers) signer.wake();
  }

  onApplicationBootstrap(): void {
    for (const signer of this.signers) signer.start();
  }

  /** Before, not on: the database connection is closed on shutdown. */
  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.signers.map((signer) => signer.stop()));
  }

  private check(): void {
    for (const signer of this.signers) {
      const { state, reason, address } = signer.status();
      if (state === 'halted' || state === 'failing')
        throw new Error(`${address} is ${state}: ${reason ?? ''}`);
    }
  }
}
