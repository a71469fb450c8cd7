import { GRPC_LOADER } from '@gridbourse/proto';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, protoPath as healthProto } from 'grpc-health-check';
import type { GatewayService } from './gateway-service.ts';

const LOOK_EVERY_MS = 1_000;

/** The packages that the directory answers for itself, whatever service is asked about. */
export const DIRECTORY_PACKAGES = [
  'grpc.reflection.v1',
  'grpc.reflection.v1alpha',
  'grpc.health.v1',
] as const;

/**
 * What a caller may ask of the platform as a whole: which services and messages there are (server reflection), and
 * whether they can be called (health, for `""` and for each service by its full name; Watch hears of changes within a
 * second). Each service answers the same for itself; through one public port only a common answer is of use.
 */
export class GrpcDirectory {
  private readonly server = new Server();
  private readonly health = new HealthImplementation({ '': 'UNKNOWN' });
  /** Full names of the gRPC services, by the service of ours that offers them. */
  private readonly offered: { from: GatewayService; names: string[] }[];
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(services: readonly GatewayService[]) {
    const load = (protos: string[]) =>
      loadSync(protos, { ...GRPC_LOADER, includeDirs: [...GRPC_LOADER.includeDirs] });
    const namesIn = (protos: string[]): string[] =>
      Object.entries(load(protos)).flatMap(([name, definition]) => ('format' in definition ? [] : [name]));
    this.offered = services
      .filter((service) => service.grpcTarget !== undefined)
      .map((from) => ({ from, names: namesIn(from.grpcApis.map(({ proto }) => proto)) }));
    const protos = this.offered.flatMap(({ from }) => from.grpcApis.map(({ proto }) => proto));
    new ReflectionService(load([...protos, healthProto])).addToServer(this.server);
    this.health.addToServer(this.server);
  }

  /** Listens on the loopback. @returns its address, `host:port` */
  async listen(): Promise<string> {
    const port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    await this.look();
    return `127.0.0.1:${port}`;
  }

  close(): void {
    this.closed = true;
    clearTimeout(this.timer);
    this.server.forceShutdown();
  }

  private async look(): Promise<void> {
    let all = true;
    for (const { from, names } of this.offered) {
      const ready = await from.ready().then(
        (report) => report.ready,
        () => false,
      );
      all &&= ready;
      for (const name of names) this.health.setStatus(name, ready ? 'SERVING' : 'NOT_SERVING');
    }
    this.health.setStatus('', all ? 'SERVING' : 'NOT_SERVING');
    if (!this.closed) this.timer = setTimeout(() => void this.look(), LOOK_EVERY_MS).unref();
  }
}
