import { LOGGER, SERVICE_CONFIG } from '@gridbourse/api';
import { HttpRpc, interfaces, quantity, type Rpc, RpcError } from '@gridbourse/chain';
import { DomainError, type Micros } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { Inject, Injectable } from '@nestjs/common';
import type { BillingConfig } from '../billing.config.ts';
import type { ContractLease } from '../domain/reconciliation.ts';

const market = interfaces.ComputeMarket;
const token = interfaces.TestUSDC;

/**
 * Reads the contract's storage past the indexer, as an independent witness. Where the node does not answer, or no longer
 * has the state of that block, the answer is null: silence proves nothing.
 */
@Injectable()
export class ContractReader {
  private readonly rpc: Rpc;
  private readonly contracts: BillingConfig['deployment']['contracts'];

  constructor(
    @Inject(SERVICE_CONFIG) config: BillingConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.rpc = new HttpRpc(config.rpcUrl);
    this.contracts = config.deployment.contracts;
  }

  /** Leases as the contract has them now; keys it never used are left out. */
  async leases(leaseKeys: readonly string[]): Promise<ReadonlyMap<string, ContractLease>> {
    const calls = leaseKeys.map((key) => market.encodeFunctionData('leaseOf', [key]));
    const answers = await this.call(this.contracts.ComputeMarket, calls, 'latest');
    const leases = new Map<string, ContractLease>();
    for (const [index, answer] of answers.entries()) {
      if (answer === null) continue;
      const read = market.decodeFunctionResult('leaseOf', answer);
      if (read['openedAt'] === 0n) continue;
      leases.set(leaseKeys[index]!, {
        settledMicros: read['settled'] as bigint,
        closed: read['open'] === false,
      });
    }
    return leases;
  }

  /** Free balances at the end of a block. */
  async freeAt(wallets: readonly string[], blockNumber: number): Promise<ReadonlyMap<string, Micros>> {
    const calls = wallets.map((wallet) => market.encodeFunctionData('tenantOf', [wallet]));
    const answers = await this.call(this.contracts.ComputeMarket, calls, quantity(blockNumber));
    const free = new Map<string, Micros>();
    for (const [index, answer] of answers.entries()) {
      if (answer === null) continue;
      const [tenant] = market.decodeFunctionResult('tenantOf', answer) as unknown as [{ free: bigint }];
      free.set(wallets[index]!, tenant.free);
    }
    return free;
  }

  /** Tokens that the contract holds at the end of a block; null when the node does not say. */
  async heldAt(blockNumber: number): Promise<Micros | null> {
    const call = token.encodeFunctionData('balanceOf', [this.contracts.ComputeMarket]);
    const [answer] = await this.call(this.contracts.TestUSDC, [call], quantity(blockNumber));
    return answer === null || answer === undefined
      ? null
      : (token.decodeFunctionResult('balanceOf', answer)[0] as bigint);
  }

  private async call(to: string, data: readonly string[], block: string): Promise<(string | null)[]> {
    if (data.length === 0) return [];
    try {
      const answers = await this.rpc.batch(
        data.map((one) => ['eth_call', [{ to, data: one }, block]] as const),
      );
      return answers.map((answer) => (answer instanceof RpcError ? null : (answer as string)));
    } catch (error) {
      if (!(error instanceof DomainError) || error.kind !== 'unavailable') throw error;
      this.logger.warn({ err: error }, "the contract's storage could not be read");
      return data.map(() => null);
    }
  }
}
