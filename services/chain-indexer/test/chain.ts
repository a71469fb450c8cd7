import {
  chainLeaseKey,
  chainProvider,
  computeMarket,
  deployContracts,
  type Deployment,
  encodeCloseLease,
  encodeOpenLease,
  encodeSettleBatch,
  HttpRpc,
  leaseRefOf,
  providerRegistry,
  testUsdc,
} from '@gridbourse/chain';
import { devKey } from '@gridbourse/infra';
import { type JsonRpcProvider, MaxUint256, NonceManager, Wallet } from 'ethers';

const OPERATOR = devKey(1);
const TENANT = devKey(10);
const PROVIDER = devKey(20);

/** Somebody who does things on the chain under test. */
export class Actor {
  readonly rpc: HttpRpc;

  private constructor(
    readonly deployment: Deployment,
    private readonly provider: JsonRpcProvider,
    rpcUrl: string,
  ) {
    this.rpc = new HttpRpc(rpcUrl);
  }

  static async on(rpcUrl: string): Promise<Actor> {
    const roles = { operator: [OPERATOR.address] };
    const deployment = await deployContracts({ rpcUrl, deployerKey: devKey(0).privateKey, roles });
    const actor = new Actor(deployment, chainProvider(rpcUrl, deployment.chainId), rpcUrl);
    const usdc = testUsdc(deployment.contracts.TestUSDC, actor.as(TENANT.privateKey));
    await (await usdc.mint(TENANT.address, 10n ** 12n)).wait();
    await (await usdc.approve(deployment.contracts.ComputeMarket, MaxUint256)).wait();
    return actor;
  }

  get tenant(): string {
    return TENANT.address.toLowerCase();
  }

  async lockOf(leaseKey: string): Promise<bigint> {
    const market = computeMarket(this.deployment.contracts.ComputeMarket, this.provider);
    return (await market.leaseOf(leaseKey)).lock;
  }

  close(): void {
    this.provider.destroy();
  }

  /** One block, one log of ComputeMarket. */
  async deposit(amountMicros: bigint): Promise<void> {
    const market = computeMarket(this.deployment.contracts.ComputeMarket, this.as(TENANT.privateKey));
    await (await market.deposit(amountMicros)).wait();
  }

  async consent(): Promise<void> {
    const market = computeMarket(this.deployment.contracts.ComputeMarket, this.as(TENANT.privateKey));
    await (await market.setSpendingLimit(10n ** 15n, 10n ** 15n, 2 ** 40 - 1)).wait();
  }

  async registerProvider(): Promise<void> {
    const registry = providerRegistry(
      this.deployment.contracts.ProviderRegistry,
      this.as(PROVIDER.privateKey),
    );
    await (await registry.register(PROVIDER.address, leaseRefOf('provider'))).wait();
  }

  async lease(serial: bigint): Promise<void> {
    const leaseKey = chainLeaseKey(1, serial);
    const lease = { leaseKey, tenant: TENANT.address, rateMicrosPerHour: 3_600_000n, durationSeconds: 60 };
    await this.operate(encodeOpenLease({ ...lease, leaseRef: leaseRefOf(`lease ${serial}`) }));
    await this.rpc.send('evm_increaseTime', [10]);
    await this.operate(encodeSettleBatch([{ leaseKey, cumulativeMicros: 4_000n }]));
    await this.operate(encodeCloseLease(leaseKey, 9_000n));
  }

  /** A lease of 4 hours that its tenant extends by one and then stops: its hour of notice and a moment remain locked. */
  async stoppedLease(serial: bigint): Promise<string> {
    const leaseKey = chainLeaseKey(1, serial);
    const lease = {
      leaseKey,
      tenant: TENANT.address,
      rateMicrosPerHour: 3_600_000n,
      durationSeconds: 14_400,
    };
    await this.operate(encodeOpenLease({ ...lease, leaseRef: leaseRefOf(`lease ${serial}`) }));
    const market = computeMarket(this.deployment.contracts.ComputeMarket, this.as(TENANT.privateKey));
    await (await market.extendLease(leaseKey, 3_600)).wait();
    await (await market.stopLease(leaseKey)).wait();
    return leaseKey;
  }

  /** So many transactions with one log each in one block. */
  async depositsInOneBlock(count: number): Promise<void> {
    await this.rpc.send('evm_setAutomine', [false]);
    const wallet = new NonceManager(this.as(TENANT.privateKey));
    const market = computeMarket(this.deployment.contracts.ComputeMarket, wallet);
    const sent = await Promise.all(Array.from({ length: count }, () => market.deposit(1n)));
    await this.rpc.send('evm_mine', []);
    await this.rpc.send('evm_setAutomine', [true]);
    await Promise.all(sent.map((transaction) => transaction.wait()));
  }

  async mine(blocks: number): Promise<void> {
    await this.rpc.send('anvil_mine', [`0x${blocks.toString(16)}`]);
  }

  async height(): Promise<number> {
    return Number(await this.rpc.send('eth_blockNumber', []));
  }

  private as(privateKey: string): Wallet {
    return new Wallet(privateKey, this.provider);
  }

  private async operate(data: string): Promise<void> {
    const to = this.deployment.contracts.ComputeMarket;
    await (await this.as(OPERATOR.privateKey).sendTransaction({ to, data })).wait();
  }
}
