import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { UnreachableError } from '@gridbourse/sdk';

const STANDALONE = fileURLToPath(new URL('../../../standalone/dist/main.js', import.meta.url));
const START_DEADLINE_MS = 180_000;

export const answers = async (origin: string): Promise<boolean> => {
  try {
    const response = await fetch(`${origin}/health/live`, { signal: AbortSignal.timeout(2_000) });
    return response.ok;
  } catch {
    return false;
  }
};

/** Starts the platform of this checkout and waits until it says READY. The returned function stops it again. */
export const startPlatform = async (say: (line: string) => void): Promise<() => Promise<void>> => {
  const child = spawn(process.execPath, ['--enable-source-maps', STANDALONE], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(
      () => reject(new UnreachableError('the local platform', new Error('it was not ready in time'))),
      START_DEADLINE_MS,
    );
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        if (line.trim() === 'READY') {
          clearTimeout(late);
          resolve();
        } else say(line);
      }
    });
    void exited.then(() => {
      clearTimeout(late);
      reject(new UnreachableError('the local platform', new Error('it ended before it was ready')));
    });
  });
  return async () => {
    child.kill('SIGTERM');
    await exited;
  };
};
