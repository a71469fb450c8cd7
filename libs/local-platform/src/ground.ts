import type { Deployment } from '@gridbourse/chain';
import { EmbeddedPostgres, LocalChain, type Supervised, superviseProcesses } from '@gridbourse/infra';
import { ensureContracts } from './contracts.ts';
import type { Run } from './run.ts';
import { databaseOf, SERVICE_NAMES } from './service-names.ts';

/** What every platform on one machine stands on, whatever its services run as. */
export type Ground = {
  readonly postgres: EmbeddedPostgres;
  readonly chain: LocalChain;
  readonly deployment: Deployment;
  /** Processes that are started again when they die; more may be put in. */
  readonly supervised: Supervised[];
  /** Ends the supervision. Must be the first thing that stops: nothing may be started again while it is being stopped. */
  readonly endSupervision: () => Promise<void>;
};

/** Postgres with a database for each service (and those named), and a chain with the contracts. */
export const startGround = async (run: Run, moreDatabases: readonly string[]): Promise<Ground> => {
  const { dir, logger, progress, settings } = run;
  const postgres = await EmbeddedPostgres.start(dir);
  run.onStop('database', () => postgres.stop());
  await postgres.createDatabases([...SERVICE_NAMES.map(databaseOf), ...moreDatabases]);
  progress.done('database', 'Postgres 18, one database a service');

  const chain = await LocalChain.start(dir, logger, settings.chainPort);
  run.onStop('chain', () => chain.stop());
  const deployment = await ensureContracts(dir, chain);
  progress.done('chain', `ComputeMarket at ${deployment.contracts.ComputeMarket}`);

  const supervised: Supervised[] = [
    { name: 'postgres', alive: () => postgres.alive, restart: () => postgres.ensureRunning() },
    { name: 'chain', alive: () => chain.alive, restart: () => chain.ensureRunning() },
  ];
  const supervisor = superviseProcesses(supervised, logger);
  return { postgres, chain, deployment, supervised, endSupervision: () => supervisor.stop() };
};
