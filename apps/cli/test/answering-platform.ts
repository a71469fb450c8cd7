import { jest } from '@jest/globals';
import type { Command } from 'commander';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Asked = { method: string; url: string; body: unknown; key: string | undefined };

/** A server that answers what a test tells it, and the commands that ask it. What they print is caught. */
export class AnsweringPlatform {
  asked: Asked[] = [];
  private answers = new Map<string, unknown[]>();
  private printed = '';

  private constructor(
    private readonly server: Server,
    private readonly buildProgram: () => Command,
  ) {
    server.on('request', (request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        this.asked.push({
          ...{ method, url, key: headers.authorization },
          body: text === '' ? null : (JSON.parse(text) as unknown),
        });
        const left = this.answers.get(`${method} ${url.split('?', 1)[0]!}`);
        const value = left && left.length > 1 ? left.shift() : left?.[0];
        response.statusCode = value === undefined ? 404 : 200;
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(value ?? { status: 404, code: 'none', detail: `nothing at ${url}` }));
      });
    });
  }

  static async start(): Promise<AnsweringPlatform> {
    // Read when the program is loaded: CI would have colours.
    process.env['NO_COLOR'] = '1';
    const { buildProgram } = await import('../src/program.ts');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new AnsweringPlatform(server, buildProgram);
  }

  stop(): Promise<unknown> {
    return new Promise((resolve) => this.server.close(resolve));
  }

  /** For each test anew: nothing asked, nothing answered, nothing printed. */
  begin(): void {
    this.asked = [];
    this.answers = new Map();
    jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
      this.printed += String(chunk);
      return true;
    });
  }

  end(): void {
    jest.restoreAllMocks();
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** What is answered there: each once, the last one from then on. */
  answer(route: string, ...values: unknown[]): void {
    this.answers.set(route, values);
  }

  /** @returns what the command printed */
  async run(...args: string[]): Promise<string> {
    this.printed = '';
    const globals = ['--origin', this.origin, '--api-key', 'gbk_operator'];
    await this.buildProgram().parseAsync(['node', 'gridbourse', ...globals, ...args]);
    return this.printed;
  }
}

export const lines = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trimEnd());
