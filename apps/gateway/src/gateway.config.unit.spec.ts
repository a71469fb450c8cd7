import { environmentInput, parseConfig } from '@gridbourse/api';
import { describe, expect, it } from '@jest/globals';
import { gatewayConfig } from './gateway.config.ts';

const read = (environment: Record<string, string>) =>
  parseConfig(
    'gateway',
    gatewayConfig,
    environmentInput('gateway', environment, () => '{}'),
  );

describe('the configuration of the gateway', () => {
  it('needs services, and has a default for everything else', () => {
    expect(read({ GRIDBOURSE_GATEWAY_SERVICES: '{"billing":"http://billing:8000"}' })).toEqual({
      ...{ host: '0.0.0.0', port: 8_080, grpcPort: 8_081, links: {}, logLevel: 'info' },
      services: { billing: 'http://billing:8000' },
    });
  });

  it('takes every field from the environment', () => {
    expect(
      read({
        GRIDBOURSE_GATEWAY_SERVICES: '{"a":"http://a:1","b":"http://b:2"}',
        GRIDBOURSE_GATEWAY_HOST: '127.0.0.1',
        GRIDBOURSE_GATEWAY_PORT: '1',
        GRIDBOURSE_GATEWAY_GRPC_PORT: '65535',
        GRIDBOURSE_GATEWAY_LINKS: '{"console":"http://c"}',
        GRIDBOURSE_GATEWAY_LOG_LEVEL: 'silent',
      }),
    ).toEqual({
      ...{ host: '127.0.0.1', port: 1, grpcPort: 65_535, logLevel: 'silent' },
      services: { a: 'http://a:1', b: 'http://b:2' },
      links: { console: 'http://c' },
    });
  });

  it('names everything that is wrong at once', () => {
    const wrong = {
      GRIDBOURSE_GATEWAY_SERVICES: '{"a":"nonsense"}',
      GRIDBOURSE_GATEWAY_PORT: '0',
      GRIDBOURSE_GATEWAY_GRPC_PORT: '65536',
      GRIDBOURSE_GATEWAY_LOG_LEVEL: 'loud',
    };
    for (const field of ['services', 'port', 'grpcPort', 'logLevel'])
      expect(() => read(wrong)).toThrow(field);
    expect(() => read({ GRIDBOURSE_GATEWAY_SERVICES: '{}' })).toThrow('at least one service');
  });
});
