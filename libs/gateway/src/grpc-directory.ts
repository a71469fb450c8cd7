import { GRPC_LOADER, PROTO_ROOT } from '@gridbourse/proto/loader';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, protoPath as healthProto } from 'grpc-health-check';
import { globSync } from 'node:fs';
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
  /** Full names of all gRPC services of the platform, as `proto/` defines them. */
  private readonly names: readonly string[];
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly services: readonly GatewayService[]) {
    const load = (protos: string[]) =>
      loadSync(protos, { ...GRPC_LOADER, includeDirs: [...GRPC_LOADER.includeDirs] });
    const protos = globSync('**/*.proto', { cwd: PROTO_ROOT }).sort();
    this.names = Object.entries(load(protos)).flatMap(([name, definition]) =>
      'format' in definition ? [] : [name],
    );
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
    const ready = new Map<GatewayService, boolean>();
    await Promise.all(
      this.services.map(async (service) => {
        const report = await service.ready().catch(() => null);
        ready.set(service, report?.ready === true);
      }),
    );
    const offered = this.services.filter(({ grpcPackages }) => grpcPackages.length > 0);
    for (const name of this.names) {
      const owner = offered.find(({ grpcPackages }) =>
        grpcPackages.some((one) => name.startsWith(`${one}.`)),
      );
      this.health.setStatus(name, owner && ready.get(owner) ? 'SERVING' : 'NOT_SERVING');
    }
    const all = this.services.every((service) => ready.get(service));
    this.health.setStatus('', all ? 'SERVING' : 'NOT_SERVING');
    if (!this.closed) this.timer = setTimeout(() => void this.look(), LOOK_EVERY_MS).unref();
  }
}
