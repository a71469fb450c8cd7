import { z } from 'zod';

/**
 * What a gateway in another process must know of a service to route to it: served at `/service.json` beside
 * `/openapi.json`, the service's own document.
 */
export const serviceCard = z.object({
  name: z.string().min(1).max(60),
  /** Path prefixes that the public origin routes here. */
  publicPaths: z.array(z.string().startsWith('/').max(200)).max(100),
  grpcPackages: z.array(z.string().min(1).max(200)).max(50),
  /** Null without a gRPC listener. */
  grpcPort: z.int().min(1).max(65_535).nullable(),
});
export type ServiceCard = z.output<typeof serviceCard>;

export const SERVICE_CARD_PATH = '/service.json';
export const SERVICE_OPENAPI_PATH = '/openapi.json';
