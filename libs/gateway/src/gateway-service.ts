import type { ReadyReport, ServiceOpenApi } from '@gridbourse/api';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a gateway needs of a service, which may run in this process (then it is a `RunningService`) or in another. */
export type GatewayService = {
  readonly name: string;
  /** Path prefixes that belong to it; null while it has not told them yet. */
  readonly publicPaths: readonly string[] | null;
  readonly grpcPackages: readonly string[];
  /** `host:port`, undefined without a gRPC listener. */
  readonly grpcTarget: string | undefined;
  /** The same object until the document changes; null while it is not known. */
  openApi(): ServiceOpenApi | null;
  handle(request: IncomingMessage, response: ServerResponse): void;
  ready(): Promise<ReadyReport>;
};
