import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { ApiError, badRequest } from './status.ts';

/** As etcd and the API server limit it. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

/** @throws ApiError 413 when the body is larger than 3 MiB */
export const readBody = async (request: IncomingMessage): Promise<string> => {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > MAX_BODY_BYTES) {
      throw new ApiError(
        413,
        'RequestEntityTooLarge',
        `Request entity too large: limit is ${MAX_BODY_BYTES}`,
      );
    }
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts).toString('utf8');
};

/** JSON, or YAML where the content type says so (which JSON is, too). */
export const parseBody = (text: string, contentType: string): unknown => {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!contentType.includes('yaml')) {
      throw badRequest(`couldn't get version/kind; json parse error: ${(error as Error).message}`);
    }
  }
  try {
    return parseYaml(text, { maxAliasCount: 0 });
  } catch (error) {
    throw badRequest(`error decoding YAML: ${(error as Error).message}`);
  }
};
