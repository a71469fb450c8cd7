import type { ServiceOpenApi } from '@gridbourse/api';
import { describe, expect, it } from '@jest/globals';
import { mergeOpenApi } from './openapi-merge.ts';

const INFO = { title: 'All', version: '1' };
const documentOf = (paths: object, schemas: object = {}): ServiceOpenApi =>
  ({
    openapi: '3.1.0',
    info: { title: 'one', version: '1' },
    paths,
    components: { schemas },
  }) as ServiceOpenApi;

describe('the common OpenAPI document', () => {
  it('has the paths and parts of all services', () => {
    const merged = mergeOpenApi(INFO, [
      documentOf({ '/v1/orders': { get: {} } }, { Order: { type: 'object' } }),
      documentOf({ '/v1/books': { get: {} } }, { Books: { type: 'object' } }),
    ]);
    expect(merged).toMatchObject({ openapi: '3.1.0', info: INFO, security: [{ bearer: [] }] });
    expect(Object.keys(merged.paths)).toEqual(['/v1/orders', '/v1/books']);
    expect(Object.keys(merged.components!.schemas!)).toEqual(['Order', 'Books']);
  });

  it('shows what each service has at one path once, below the name of a service', () => {
    const ops = { '/ops/bus': { get: { summary: 'lag' }, parameters: [{ name: 'a', in: 'query' }] } };
    const merged = mergeOpenApi(INFO, [documentOf(ops), documentOf(ops), documentOf({ '/v1/ops/x': {} })]);
    expect(Object.keys(merged.paths)).toEqual(['/services/{service}/ops/bus', '/v1/ops/x']);
    expect(merged.paths['/services/{service}/ops/bus']).toMatchObject({
      get: { summary: 'lag' },
      parameters: [{ name: 'a' }, { name: 'service', in: 'path', required: true }],
    });
  });

  it('takes two unlike parts of one name for the fault that they are', () => {
    expect(() =>
      mergeOpenApi(INFO, [documentOf({ '/a': { get: {} } }), documentOf({ '/a': { put: {} } })]),
    ).toThrow('two services define path /a in different ways');
    expect(() =>
      mergeOpenApi(INFO, [
        documentOf({}, { A: { type: 'string' } }),
        documentOf({}, { A: { type: 'object' } }),
      ]),
    ).toThrow('components.schemas A');
  });
});
