import { fileURLToPath } from 'node:url';

/** The folder of the definitions. `src/` and `dist/` lie equally deep, so one URL serves both. */
export const PROTO_ROOT = fileURLToPath(new URL('../../../proto', import.meta.url));

/** How definitions are loaded at run time; must agree with the options in buf.gen.yaml (int64 is a string). */
export const GRPC_LOADER = {
  includeDirs: [PROTO_ROOT],
  keepCase: false,
  longs: String,
  enums: String,
  defaults: true,
  arrays: true,
  oneofs: true,
} as const;
