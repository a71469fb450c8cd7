import type { RunningService } from '@gridbourse/api';

/** What a gateway needs of a service, which may run in this process or in another. */
export type GatewayService = Pick<
  RunningService,
  'name' | 'publicPaths' | 'grpcApis' | 'grpcTarget' | 'openApi' | 'handle' | 'ready'
>;
