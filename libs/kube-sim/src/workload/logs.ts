import type { Container, ContainerStatus, Pod } from '../objects.ts';
import type { RunPlan } from './run-plan.ts';

export type LogLine = { atMs: number; text: string };

/** How often a container that runs on says so. */
const SIGN_OF_LIFE_MS = 10_000;
const MAX_SIGNS = 500;

const instant = (time: string): number => Date.parse(time);

/** One run of a container: from its start to its end, or to now. */
const linesOfRun = (
  pod: Pod,
  container: Container,
  plan: RunPlan,
  startedAtMs: number,
  until: { nowMs: number; finishedAtMs?: number; exitCode?: number },
): LogLine[] => {
  const endMs = until.finishedAtMs ?? until.nowMs;
  const argv = [...(container.command ?? []), ...(container.args ?? [])];
  const lines: LogLine[] = [
    {
      atMs: startedAtMs,
      text: `[kube-sim] container ${container.name} started on node ${pod.spec.nodeName}, image ${container.image}`,
    },
    {
      atMs: startedAtMs,
      text: `[kube-sim] command: ${argv.length > 0 ? JSON.stringify(argv) : '(the default of the image)'}`,
    },
    ...plan.output.map((line) => ({ atMs: startedAtMs + line.atMs, text: line.text })),
  ];
  const first = Math.max(1, Math.floor((endMs - startedAtMs) / SIGN_OF_LIFE_MS) - MAX_SIGNS);
  for (let n = first; startedAtMs + n * SIGN_OF_LIFE_MS < endMs; n += 1) {
    lines.push({
      atMs: startedAtMs + n * SIGN_OF_LIFE_MS,
      text: `[kube-sim] running for ${(n * SIGN_OF_LIFE_MS) / 1_000} s`,
    });
  }
  if (until.finishedAtMs !== undefined) {
    lines.push({ atMs: until.finishedAtMs, text: `[kube-sim] ended with exit code ${until.exitCode}` });
  }
  return lines.filter((line) => line.atMs <= endMs).sort((a, b) => a.atMs - b.atMs);
};

/**
 * What the container has printed up to now, derived from what is known of it: nothing has to be stored, and nothing
 * is said that did not happen.
 */
export const logLines = (
  pod: Pod,
  container: Container,
  status: ContainerStatus,
  plan: RunPlan,
  options: { nowMs: number; previous: boolean },
): LogLine[] => {
  const state = options.previous ? status.lastState : status.state;
  const { running, terminated } = state.running || state.terminated ? state : status.lastState;
  if (running) return linesOfRun(pod, container, plan, instant(running.startedAt), { nowMs: options.nowMs });
  if (!terminated) return [];
  return linesOfRun(pod, container, plan, instant(terminated.startedAt), {
    nowMs: options.nowMs,
    finishedAtMs: instant(terminated.finishedAt),
    exitCode: terminated.exitCode,
  });
};
