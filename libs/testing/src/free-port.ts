import { createServer } from 'node:net';

/** A TCP port of 127.0.0.1 that was free a moment ago. Prefer port 0 where the server under test can tell its port. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
