import type { GroupPart, ServiceSpec } from '@gridbourse/events';
import { describe, expect, it } from '@jest/globals';
import { leaseOf, serviceOf } from '../../../test/support/fixtures.ts';
import { objectOptions } from '../../../test/support/object-options.ts';
import { workloadObjects } from './workload-objects.ts';

type Variable = { name: string; value?: string; valueFrom?: unknown };
type Controller = {
  kind: string;
  spec: {
    completions?: number;
    replicas?: number;
    template: { spec: { containers: { env?: Variable[] }[] } };
  };
};

/** A worker on each of the machines, so many replicas as its name stands in the list. */
const controllersOf = (
  nodes: string[],
  part: GroupPart | null,
  { run = 'job', ...change }: Partial<ServiceSpec> & { run?: 'job' | 'service' } = {},
): Controller[] => {
  const services = [serviceOf({ name: 'worker', replicas: nodes.length, ...change })];
  const placements = nodes.map((node, replica) => ({ service: 'worker', replica, node }));
  const lease = { ...leaseOf({ services, run, placements }), part };
  const { running } = workloadObjects(lease, null, objectOptions());
  return running.filter(({ kind }) => ['Job', 'Deployment', 'StatefulSet'].includes(kind)) as never;
};

const environmentOf = ({ spec }: Controller): Record<string, string | undefined> =>
  Object.fromEntries((spec.template.spec.containers[0]!.env ?? []).map(({ name, value }) => [name, value]));

const ranksOf = (controllers: Controller[]): number[] =>
  controllers.flatMap((controller) => {
    const first = Number(environmentOf(controller)['GRIDBOURSE_FIRST_REPLICA']);
    return Array.from({ length: controller.spec.completions! }, (_, index) => first + index);
  });

const partOf = (number: number, firstReplica: number): GroupPart => ({
  number,
  of: 2,
  services: [{ service: 'worker', firstReplica, ofReplicas: 7 }],
});

describe('the replicas of a gang', () => {
  it('have numbers of their own over all machines and parts', () => {
    const first = controllersOf(['a', 'a', 'b', 'c'], partOf(1, 0));
    const second = controllersOf(['x', 'y', 'y'], partOf(2, 4));
    expect(ranksOf([...first, ...second])).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(environmentOf(second[1]!)).toEqual({
      GRIDBOURSE_REPLICAS: '7',
      GRIDBOURSE_FIRST_REPLICA: '5',
      GRIDBOURSE_PART: '2',
      GRIDBOURSE_PARTS: '2',
    });
  });

  it('have them in a group that is whole, too', () => {
    const whole = controllersOf(['a', 'b', 'b'], null);
    expect(ranksOf(whole)).toEqual([0, 1, 2]);
    expect(environmentOf(whole[0]!)).toMatchObject({ GRIDBOURSE_REPLICAS: '3', GRIDBOURSE_PARTS: '1' });
  });

  it('are told where they are in services of a divided group as well', () => {
    const [deployment] = controllersOf(['a'], partOf(2, 6), { run: 'service' });
    expect(deployment!.kind).toBe('Deployment');
    expect(environmentOf(deployment!)).toMatchObject({ GRIDBOURSE_FIRST_REPLICA: '6' });
  });

  it('are told nothing where there is one of them, nor in services that are whole', () => {
    expect(environmentOf(controllersOf(['a'], null)[0]!)).toEqual({});
    expect(environmentOf(controllersOf(['a', 'b'], null, { run: 'service' })[0]!)).toEqual({});
  });

  it('keep the variables of their tenant', () => {
    const [job] = controllersOf(['a', 'a'], null, { envNames: ['GRIDBOURSE_PART', 'OTHER'] });
    const { env } = job!.spec.template.spec.containers[0]!;
    expect(env!.filter(({ name }) => name === 'GRIDBOURSE_PART')).toEqual([
      { name: 'GRIDBOURSE_PART', valueFrom: expect.anything() },
    ]);
    expect(env!.map(({ name }) => name)).toContain('GRIDBOURSE_FIRST_REPLICA');
  });
});
