import type { ServerResponse } from 'node:http';
import type { Clock } from '@gridbourse/kernel';
import { PODS } from '../kinds.ts';
import type { Container, ContainerStatus, Pod } from '../objects.ts';
import type { ObjectStore } from '../storage/store.ts';
import { type LogLine, logLines } from '../workload/logs.ts';
import { environmentOf } from '../workload/environment.ts';
import { planOf } from '../workload/run-plan.ts';
import type { Route } from './route.ts';
import { badRequest, notFound } from './status.ts';

const FOLLOW_INTERVAL_MS = 100;

const chosen = (pod: Pod, asked: string | null): Container => {
  const all = [...(pod.spec.initContainers ?? []), ...pod.spec.containers];
  const { name } = pod.metadata;
  if (asked === null || asked === '') {
    if (pod.spec.containers.length === 1) return pod.spec.containers[0]!;
    const names = pod.spec.containers.map((each) => each.name).join(' ');
    throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${names}]`);
  }
  const container = all.find((each) => each.name === asked);
  if (!container) throw badRequest(`container ${asked} is not valid for pod ${name}`);
  return container;
};

const statusOf = (pod: Pod, container: Container): ContainerStatus | undefined =>
  [...(pod.status.containerStatuses ?? []), ...(pod.status.initContainerStatuses ?? [])].find(
    (each) => each.name === container.name,
  );

/** `GET .../pods/<name>/log` with follow, tailLines, sinceSeconds, sinceTime, timestamps, limitBytes, previous. */
export const serveLogs = (
  response: ServerResponse,
  store: ObjectStore,
  clock: Clock,
  { namespace, name }: Route,
  query: URLSearchParams,
): void => {
  const find = (): Pod | undefined => store.get<Pod>(PODS, namespace, name!);
  const pod = find();
  if (!pod) throw notFound(PODS, name!);
  const container = chosen(pod, query.get('container'));
  const status = statusOf(pod, container);
  const previous = query.get('previous') === 'true';
  if (previous && !status?.lastState.terminated) {
    throw badRequest(`previous terminated container "${container.name}" in pod "${name}" not found`);
  }
  const { waiting } = status?.state ?? { waiting: { reason: 'ContainerCreating' } };
  if (waiting && !status?.lastState.terminated) {
    const why = /Image/.test(waiting.reason)
      ? 'trying and failing to pull image'
      : `waiting to start: ${waiting.reason}`;
    throw badRequest(`container "${container.name}" in pod "${name}" is ${why}`);
  }
  const stamped = query.get('timestamps') === 'true';
  let bytesLeft = Number(query.get('limitBytes') ?? 0) || Number.POSITIVE_INFINITY;
  const write = (lines: readonly LogLine[]): void => {
    for (const { atMs, text } of lines) {
      const stamp = stamped ? `${new Date(atMs).toISOString().replace('Z', '000000Z')} ` : '';
      const bytes = Buffer.from(`${stamp}${text}\n`).subarray(0, bytesLeft);
      bytesLeft -= bytes.length;
      if (bytes.length > 0) response.write(bytes);
    }
  };
  const plan = planOf(pod, container, environmentOf(store, pod, container));
  const read = (current: Pod): LogLine[] => {
    const now = statusOf(current, container);
    return now ? logLines(current, container, now, plan, { nowMs: clock.now(), previous }) : [];
  };
  const all = read(pod);
  response.writeHead(200, { 'content-type': 'text/plain' });
  write(selected(all, query, clock.now()));
  if (query.get('follow') !== 'true' || bytesLeft === 0) {
    response.end();
    return;
  }
  response.flushHeaders();
  let lastMs = all.at(-1)?.atMs ?? 0;
  let shown = all.filter((line) => line.atMs === lastMs).length;
  const timer = setInterval(() => {
    const current = find();
    const lines = current ? read(current) : [];
    const fresh = lines.filter((line) => line.atMs > lastMs);
    const again = lines.filter((line) => line.atMs === lastMs).slice(shown);
    write([...again, ...fresh]);
    if (again.length + fresh.length > 0) {
      lastMs = fresh.at(-1)?.atMs ?? lastMs;
      shown = lines.filter((line) => line.atMs === lastMs).length;
    }
    const over = !current || bytesLeft === 0 || ['Succeeded', 'Failed'].includes(current.status.phase);
    if (over) response.end();
  }, FOLLOW_INTERVAL_MS);
  response.on('close', () => clearInterval(timer));
};

const selected = (lines: readonly LogLine[], query: URLSearchParams, nowMs: number): readonly LogLine[] => {
  const seconds = query.get('sinceSeconds');
  const time = query.get('sinceTime');
  const sinceMs = seconds ? nowMs - Number(seconds) * 1_000 : time ? Date.parse(time) : 0;
  const recent = lines.filter((line) => line.atMs >= sinceMs);
  const tail = query.get('tailLines');
  if (tail === null || tail === '') return recent;
  return Number(tail) === 0 ? [] : recent.slice(-Number(tail));
};
