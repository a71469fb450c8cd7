import { z } from 'zod';

const port = z.coerce.number().int().min(1).max(65_535);

/** `GRIDBOURSE_GATEWAY_CONFIG` names a JSON file; `GRIDBOURSE_GATEWAY_<FIELD>` overrides a field of it. */
export const gatewayConfig = z.object({
  host: z.string().min(1).default('0.0.0.0'),
  /** REST, documents, health. */
  port: port.default(8080),
  grpcPort: port.default(8081),
  /** Origin of each service, by name: `{"billing": "http://billing:8000"}`. */
  services: z.record(z.string().min(1).max(60), z.url()).refine((all) => Object.keys(all).length > 0, {
    message: 'expected at least one service',
  }),
  /** Shown at `/`, by name. */
  links: z.record(z.string(), z.string()).default({}),
  logLevel: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});
export type GatewayConfig = z.output<typeof gatewayConfig>;
