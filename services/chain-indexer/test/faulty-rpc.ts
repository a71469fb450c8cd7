import { HttpRpc, type Rpc, type RpcCall, rpcUnavailable } from '@gridbourse/chain';

/** A node that lies or breaks as a test tells it to. */
export class FaultyRpc implements Rpc {
  private inner: HttpRpc;
  /** Changes what the node answers to a call; throws to break the line. */
  tamper: (call: RpcCall, answer: unknown) => unknown = (_, answer) => answer;

  constructor(url: string) {
    this.inner = new HttpRpc(url);
  }

  moveTo(url: string): void {
    this.inner = new HttpRpc(url);
  }

  cut(): void {
    this.tamper = ([method]) => {
      throw rpcUnavailable(method, new Error('the line is cut'));
    };
  }

  mend(): void {
    this.tamper = (_, answer) => answer;
  }

  async send(method: string, params: readonly unknown[]): Promise<unknown> {
    return this.tamper([method, params], await this.inner.send(method, params));
  }

  async batch(calls: readonly RpcCall[]): Promise<unknown[]> {
    const answers = await this.inner.batch(calls);
    return answers.map((answer, index) => this.tamper(calls[index]!, answer));
  }
}
