import net from 'node:net';
import type { ISocketFactory } from 'kafkajs';
import { KafkaBus, type KafkaBusOptions, type SubscribeOptions, type Subscription } from '../../src/index.ts';

/** A bus whose connections can be cut, as those of a process that dies or of a machine that loses its network. */
export class SeverableKafkaBus extends KafkaBus {
  readonly groups = new Set<string>();
  private readonly sever: (milliseconds: number) => void;

  constructor(options: KafkaBusOptions) {
    const sockets = new Set<net.Socket>();
    let severedUntil = 0;
    const socketFactory: ISocketFactory = ({ host, port, onConnect }) => {
      // Nothing listens on port 1: refused, like a host that is down.
      const away = performance.now() < severedUntil;
      const socket = net.connect({ host, port: away ? 1 : port, noDelay: true }, onConnect);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      return socket;
    };
    super({ ...options, socketFactory });
    this.sever = (milliseconds) => {
      severedUntil = performance.now() + milliseconds;
      for (const socket of sockets)
        socket.destroy(Object.assign(new Error('severed'), { code: 'ECONNRESET' }));
    };
  }

  override async subscribe(options: SubscribeOptions): Promise<Subscription> {
    this.groups.add(options.group);
    return super.subscribe(options);
  }

  /** Cuts every connection and lets none be made for so long. Nothing is said to the broker. */
  cutOff(milliseconds: number): void {
    this.sever(milliseconds);
  }
}
