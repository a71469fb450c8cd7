// Real: HTTP on the loopback; the node is played.
import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import { HttpRpc, isRpcUnavailable, RpcError, unwrap } from './json-rpc.ts';

describe('calls to a node', () => {
  let server: Server | undefined;
  const nodeThat = async (
    answer: (body: string) => { status?: number; body: string } | null,
  ): Promise<HttpRpc> => {
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        const given = answer(body);
        if (given === null) return; // silence
        response.writeHead(given.status ?? 200).end(given.body);
      });
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    return new HttpRpc(`http://127.0.0.1:${port}`, { timeoutMs: 200 });
  };
  type Request = { id: number; method: string };
  const failure = (rpc: HttpRpc): Promise<unknown> =>
    rpc.send('eth_chainId', []).catch((error: unknown) => error);

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  it('give the result, or the error of the node', async () => {
    const rpc = await nodeThat((body) => {
      const { id, method } = JSON.parse(body) as Request;
      const error = { code: 3, message: 'execution reverted', data: '0x12' };
      return { body: JSON.stringify(method === 'good' ? { id, result: '0x1' } : { id, error }) };
    });
    expect(await rpc.send('good', [])).toBe('0x1');
    await expect(rpc.send('bad', [])).rejects.toMatchObject({
      name: 'RpcError',
      code: 3,
      data: '0x12',
      method: 'bad',
    });
  });

  it('come back in the order they were asked, whatever order the node answers in', async () => {
    const rpc = await nodeThat((body) => {
      const requests = JSON.parse(body) as Request[];
      const answers = requests.map(({ id, method }) =>
        method === 'bad' ? { id, error: { code: -1, message: 'no' } } : { id, result: method },
      );
      return { body: JSON.stringify(answers.reverse()) };
    });
    const many = Array.from({ length: 450 }, (_, index) => [`call ${index}`, []] as const);
    expect(await rpc.batch(many)).toEqual(many.map(([method]) => method));
    const [good, bad] = await rpc.batch([
      ['good', []],
      ['bad', []],
    ]);
    expect(good).toBe('good');
    expect(() => unwrap(bad)).toThrow(RpcError);
  });

  it.each([
    ['is silent', () => null],
    ['answers in another language', () => ({ body: '<html>' })],
    ['answers with neither result nor error', () => ({ body: '{"id":1}' })],
    [
      'hides behind a gateway that answers in its place',
      () => ({ status: 503, body: '{"id":1,"error":{"code":-32000,"message":"x"}}' }),
    ],
    ['limits the rate', () => ({ status: 429, body: '{"id":1,"error":{"code":-32000,"message":"x"}}' })],
  ])('are unclear when the node %s', async (_, answer) => {
    expect(isRpcUnavailable(await failure(await nodeThat(answer)))).toBe(true);
  });

  it('are unclear when an answer of a batch is missing, and when nobody listens', async () => {
    const rpc = await nodeThat(() => ({ body: '[]' }));
    await expect(rpc.batch([['a', []]])).rejects.toMatchObject({ code: 'rpc_unavailable' });
    expect(isRpcUnavailable(await failure(new HttpRpc('http://127.0.0.1:1')))).toBe(true);
  });
});
