import { HttpRpc, rpcUnavailable, type Rpc, type RpcCall } from '../src/json-rpc.ts';

/** A node behind a bad line: tests say what goes wrong, and when. */
export class FaultyRpc implements Rpc {
  private inner: HttpRpc;
  /** Calls of each method that reached the node. */
  readonly reached: { method: string; params: readonly unknown[] }[] = [];
  /** Throws to break a call before it reaches the node. */
  before: (method: string, params: readonly unknown[]) => void | Promise<void> = () => {};
  /** Throws to lose the answer of a call that the node has carried out. */
  after: (method: string) => void = () => {};

  constructor(url: string) {
    this.inner = new HttpRpc(url);
  }

  cut(): void {
    this.before = (method) => {
      throw rpcUnavailable(method, new Error('the line is cut'));
    };
  }

  mend(url = this.inner.url): void {
    this.inner = new HttpRpc(url);
    this.before = () => {};
    this.after = () => {};
  }

  rawSent(): string[] {
    return this.reached
      .filter((call) => call.method === 'eth_sendRawTransaction')
      .map((call) => call.params[0] as string);
  }

  async send(method: string, params: readonly unknown[]): Promise<unknown> {
    await this.before(method, params);
    this.reached.push({ method, params });
    const result = await this.inner.send(method, params);
    this.after(method);
    return result;
  }

  async batch(calls: readonly RpcCall[]): Promise<unknown[]> {
    // One request, one fate.
    await this.before(...calls[0]!);
    return this.inner.batch(calls);
  }
}
