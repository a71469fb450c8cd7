import { randomInt } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive } from './processes.ts';

/** IANA keeps the ports below for well-known services; 10,000 leaves room above the usual development servers. */
const LOWEST = 10_000;
/** Where outgoing connections begin on Linux by default; macOS and Windows begin at 49,152. */
const USUAL_EPHEMERAL = 32_768;
/** Less room than this and two choosers would meet too often: then any unprivileged port will do. */
const ENOUGH_PORTS = 2_000;
const ATTEMPTS = 1_000;
/** How long a port stays its chooser's although that process has ended: whoever it was chosen for has bound it by then. */
const HAND_OVER_MS = 60_000;

/** Ports that the kernel gives to no outgoing connection, which would hold one between choice and use. */
const range = (): { from: number; to: number } => {
  let ephemeral = USUAL_EPHEMERAL;
  try {
    ephemeral = Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s/)[0]);
  } catch {
    // Not Linux.
  }
  return ephemeral >= LOWEST + ENOUGH_PORTS ? { from: LOWEST, to: ephemeral } : { from: LOWEST, to: 65_536 };
};

const claims = join(tmpdir(), `gridbourse-ports-${process.getuid?.() ?? 'user'}`);

const isAbandoned = (claim: string): boolean => {
  try {
    return !isAlive(Number(readlinkSync(claim))) && Date.now() - lstatSync(claim).mtimeMs > HAND_OVER_MS;
  } catch {
    return true;
  }
};

/** A link named for the port that points to our pid: made by one process only, and needs no block of a full disk. */
const claim = (port: number): boolean => {
  const name = join(claims, String(port));
  for (const attempt of ['first', 'after an abandoned claim']) {
    try {
      symlinkSync(String(process.pid), name);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (attempt === 'first' && isAbandoned(name)) rmSync(name, { force: true });
      else return false;
    }
  }
  return false;
};

/**
 * A TCP port to listen on that nobody uses. It is outside the range of outgoing connections, and no other caller of this
 * function gets it while this process lives, so it can be kept for a server that ends and starts again. Prefer port 0
 * where a server can tell which one it got.
 *
 * @throws Error when no port of the range is free
 */
export const freePort = async (host = '127.0.0.1'): Promise<number> => {
  mkdirSync(claims, { recursive: true });
  const { from, to } = range();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(from, to);
    if (claim(port) && (await isFree(port, host))) return port;
  }
  throw new Error(`no free port found on ${host} between ${from} and ${to - 1} in ${ATTEMPTS} attempts`);
};

/** True when nobody listens there now. */
export const isFree = (port: number, host = '127.0.0.1'): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
