import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** A TCP proxy in front of a server, which can lose answers, hold everything back, or be away. */
export class FaultyWire {
  private readonly pairs = new Set<[Socket, Socket]>();
  private away = false;
  /** Holds back what the server says. */
  private held = false;
  private cutsAtAnswer = false;
  connections = 0;

  private constructor(
    private readonly target: { host: string; port: number },
    private readonly server: Server,
  ) {}

  static async before(url: string): Promise<FaultyWire> {
    const { hostname, port } = new URL(url);
    const server = createServer((socket) => wire.join(socket));
    const wire = new FaultyWire({ host: hostname, port: Number(port || 6379) }, server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  /** The address of the server, by way of this wire. */
  urlFor(url: string): string {
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String((this.server.address() as AddressInfo).port);
    return through.href;
  }

  /** The server does what it is told next, and its answer is lost with the connection. */
  cutAtNextAnswer(): void {
    this.cutsAtAnswer = true;
  }

  hold(): void {
    this.held = true;
    for (const [, far] of this.pairs) far.pause();
  }

  goOn(): void {
    this.held = false;
    for (const [, far] of this.pairs) far.resume();
  }

  /** Connections are cut, and new ones refused until {@link comeBack}. */
  goAway(): void {
    this.away = true;
    this.cut();
  }

  comeBack(): void {
    this.away = false;
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private cut(): void {
    for (const [near, far] of this.pairs) {
      near.destroy();
      far.destroy();
    }
  }

  private join(near: Socket): void {
    if (this.away) return void near.destroy();
    this.connections += 1;
    const far = connect(this.target.port, this.target.host);
    const pair: [Socket, Socket] = [near, far];
    this.pairs.add(pair);
    if (this.held) far.pause();
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => {
      if (this.cutsAtAnswer) {
        this.cutsAtAnswer = false;
        near.destroy();
        far.destroy();
      } else near.write(data);
    });
    for (const socket of pair) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        near.destroy();
        far.destroy();
        this.pairs.delete(pair);
      });
    }
  }
}
