const CALL_DEADLINE_MS = 10_000;

/** One JSON-RPC call. @throws Error on an HTTP failure, an RPC error, or after ten seconds */
export const rpcCall = async <T>(
  url: string,
  method: string,
  params: readonly unknown[] = [],
): Promise<T> => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(CALL_DEADLINE_MS),
  });
  const body = (await response.json()) as { result?: T; error?: { code: number; message: string } };
  if (body.error) throw new Error(`${method}: ${body.error.message}`);
  return body.result as T;
};
