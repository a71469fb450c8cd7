import { describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configureLogging, createLogger } from './logger.ts';
import { renderMetrics, serviceMeter } from './metrics.ts';
import { currentTraceparent, openScope, runInScope } from './scope.ts';

describe('logs of several services in one process', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'gridbourse-log-')), 'log');
  configureLogging({ level: 'info', file });

  it('bear the service that wrote them and the trace of their work', () => {
    const registry = createLogger('registry');
    const billing = createLogger('billing');
    const scope = openScope('registry', undefined, 'req_1');
    runInScope(scope, () => registry.info({ providerId: 'prv_1' }, 'seen'));
    billing.error({ err: new Error('broken') }, 'failed');
    const [first, second] = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toMatchObject({
      service: 'registry',
      providerId: 'prv_1',
      traceId: scope.traceId,
      requestId: 'req_1',
    });
    expect(second).toMatchObject({ service: 'billing', level: 'error', err: { message: 'broken' } });
    expect(second).not.toHaveProperty('traceId');
  });
});

describe('traces', () => {
  it('go on from a valid traceparent, and start anew from a malformed one', () => {
    const traceId = 'ab'.repeat(16);
    expect(openScope('x', `00-${traceId}-${'cd'.repeat(8)}-01`).traceId).toBe(traceId);
    expect(openScope('x', `00-${'0'.repeat(32)}-${'cd'.repeat(8)}-01`).traceId).not.toBe('0'.repeat(32));
    expect(openScope('x', 'nonsense').traceId).toMatch(/^[0-9a-f]{32}$/);
    const scope = openScope('x');
    expect(runInScope(scope, currentTraceparent)).toBe(`00-${scope.traceId}-${scope.spanId}-01`);
    expect(currentTraceparent()).toBeUndefined();
  });
});

describe('metrics', () => {
  it('are kept apart by service', async () => {
    serviceMeter('one').createCounter('orders').add(3);
    serviceMeter('two').createCounter('leases').add(1);
    expect(await renderMetrics('one')).toMatch(/orders_total\S* 3/);
    expect(await renderMetrics('one')).not.toContain('leases');
  });
});
