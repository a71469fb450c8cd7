import { execFileSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { StartError } from '../start-error.ts';

export type ServerUser = { uid: number; gid: number };

const idOf = (flag: '-u' | '-g'): number | undefined => {
  try {
    return Number(
      execFileSync('id', [flag, 'postgres'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    );
  } catch {
    return undefined;
  }
};

/** Postgres refuses to run as root: then it runs as the system's `postgres` user, which is made if need be. */
export const serverUser = (): ServerUser | undefined => {
  if (userInfo().uid !== 0) return undefined;
  if (idOf('-u') === undefined) {
    try {
      execFileSync('useradd', ['--system', '--user-group', '--no-create-home', 'postgres'], {
        stdio: 'ignore',
      });
    } catch (error) {
      throw new StartError(
        'Postgres cannot run as root, and a user for it could not be made.',
        'Start Gridbourse as an ordinary user, or add a system user named postgres.',
        error,
      );
    }
  }
  return { uid: idOf('-u')!, gid: idOf('-g')! };
};
