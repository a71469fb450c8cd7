import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

type Fate = 'pass' | 'lose the request' | 'lose the answer';

/** A line to a node over HTTP that breaks where a test says: the node never hears, or its answer never arrives. */
export class CutLine {
  /** What becomes of a request with this body. */
  fate: (body: string) => Fate = () => 'pass';
  private server: Server | undefined;

  private constructor(private readonly rpcUrl: string) {}

  static async to(rpcUrl: string): Promise<CutLine> {
    const line = new CutLine(rpcUrl);
    line.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        void line.pass(Buffer.concat(chunks).toString('utf8')).then((answer) => {
          if (answer === null) request.socket.destroy();
          else response.setHeader('content-type', 'application/json').end(answer);
        });
      });
    });
    await new Promise<void>((resolve) => line.server!.listen(0, '127.0.0.1', resolve));
    return line;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server!.address() as AddressInfo).port}`;
  }

  private async pass(body: string): Promise<string | null> {
    const fate = this.fate(body);
    if (fate === 'lose the request') return null;
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(this.rpcUrl, { method: 'POST', headers, body }).then((got) => got.text());
    return fate === 'lose the answer' ? null : answer;
  }

  async close(): Promise<void> {
    this.server!.closeAllConnections();
    await new Promise((resolve) => this.server!.close(resolve));
  }
}
