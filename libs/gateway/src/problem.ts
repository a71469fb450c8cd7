import { newId, systemClock, systemRandom } from '@gridbourse/kernel';
import type { ServerResponse } from 'node:http';

/** An RFC 9457 answer of the gateway itself, in the form that the services give theirs. */
export const answerProblem = (
  response: ServerResponse,
  problem: { status: number; title: string; code: string; detail: string; path: string },
  headers: Record<string, string> = {},
): void => {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, title, code, detail, path } = problem;
  const requestId = newId('request', systemClock.now(), systemRandom);
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'x-content-type-options': 'nosniff',
    'x-request-id': requestId,
    ...headers,
  });
  response.end(
    JSON.stringify({
      type: `https://gridbourse.dev/problems/${code}`,
      title,
      status,
      detail,
      instance: path,
      code,
      requestId,
      errors: [],
    }),
  );
};
