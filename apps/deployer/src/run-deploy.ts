import { deployPlan, type DeployRequest, prepareDeployment, recordOf } from '@gridbourse/chain';
import { formatEther } from 'ethers';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DeploySettings } from './settings.ts';

/**
 * Deploys, checks and records the contracts, or says what that would be.
 * @param say takes a line for people
 * @throws DomainError as `deployContracts`
 */
export const runDeploy = async (settings: DeploySettings, say: (line: string) => void): Promise<void> => {
  const { profile } = settings;
  const request: DeployRequest = {
    ...settings,
    params: profile.params,
    chainId: profile.chainId,
    separateRoles: profile.separateRoles,
    onStep: ({ title }, index, count) => say(`${index + 1}/${count} ${title}`),
  };
  if (settings.dryRun) return sayWhatIsMissing(request, say);
  const { plan, deployment } = await deployPlan(request);
  const record = recordOf({ profile: profile.name, plan, deployment, roles: settings.roles });
  writeWhole(settings.out, `${JSON.stringify(record, null, 2)}\n`);
  for (const [name, address] of Object.entries(deployment.contracts)) say(`${name} ${address}`);
  say(`checked: code, proxies, timelock, treasury and roles are as asked for; written to ${settings.out}`);
};

const sayWhatIsMissing = async (request: DeployRequest, say: (line: string) => void): Promise<void> => {
  const { plan, steps, costWei, balanceWei } = await prepareDeployment(request);
  for (const { title } of steps) say(`missing: ${title}`);
  say(
    steps.length === 0
      ? 'nothing is missing'
      : `${steps.length} transactions of ${plan.deployer}, which has ${formatEther(balanceWei)} ETH; they may cost ` +
          `${formatEther(costWei)} ETH (a rollup adds what its calldata costs)`,
  );
};

/** A record is there whole or not at all. */
const writeWhole = (file: string, text: string): void => {
  mkdirSync(dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, file);
};
