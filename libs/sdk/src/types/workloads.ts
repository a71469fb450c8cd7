export type WorkloadObserved =
  'pending' | 'pulling' | 'running' | 'degraded' | 'unknown' | 'failed' | 'exited' | 'terminating' | 'absent';

export type Workload = {
  leaseId: string;
  /** Null when nothing was ever asked of a cluster. */
  namespace: string | null;
  desired: 'running' | 'absent';
  observed: WorkloadObserved;
  services: { name: string; replicas: number; ready: number }[];
  endpoints: { service: string; port: number; url: string }[];
  runningSince: string | null;
  /** Billed so far. */
  seconds: number;
  lastSeenAt: string | null;
  /** What keeps it from running now, or what ended it. */
  failure: { cause: string; message: string; phase: 'start' | 'run'; final: boolean; at: string } | null;
  exit: { code: number; finishedAt: string } | null;
  provenAbsentAt: string | null;
};

/** What the cluster said about a workload. */
export type WorkloadEvent = { at: string; type: string; reason: string; message: string; object: string };

export type LogOptions = { service?: string; replica?: number; tail?: number; sinceSeconds?: number };
