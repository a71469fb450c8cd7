/** Something the person who starts the platform can mend: one sentence of what is wrong, one of what to do. */
export class StartError extends Error {
  readonly advice: string;

  constructor(problem: string, advice: string, cause?: unknown) {
    super(problem, cause === undefined ? undefined : { cause });
    this.name = 'StartError';
    this.advice = advice;
  }
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && ((error as NodeJS.ErrnoException).code === code || hasCode(error.cause, code));

/** Turns what the system says into a sentence, where we know one; other errors stay as they are. */
export const explainStartError = (error: unknown): unknown => {
  if (error instanceof StartError) return error;
  if (hasCode(error, 'ENOSPC') || hasCode(error, '53100')) {
    return new StartError(
      'The disk is full, so nothing can be written to the data folder.',
      'Free some space, then run npm start again; what was stored is kept.',
      error,
    );
  }
  if (hasCode(error, 'EACCES') || hasCode(error, 'EPERM')) {
    return new StartError(
      `The data folder cannot be written: ${(error as Error).message}.`,
      'Give this user access to it, or name another folder with GRIDBOURSE_DATA_DIR.',
      error,
    );
  }
  return error;
};
