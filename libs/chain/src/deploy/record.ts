import { Interface, keccak256 } from 'ethers';
import { abis } from '../contracts.ts';
import type { Deployment } from '../deployment.ts';
import type { Plan } from './plan.ts';
import type { DeployRoles } from './roles.ts';
import type { Terms } from './terms.ts';

/** All that one has to know of a deployment to use it or to check it, for people and for programs in any language. */
export type DeploymentRecord = {
  readonly profile: string;
  /** What the services are configured with. */
  readonly deployment: Deployment;
  readonly deployer: string;
  readonly terms: Terms;
  readonly roles: DeployRoles;
  /** keccak256 of the code at each address. */
  readonly code: readonly { readonly title: string; readonly address: string; readonly hash: string }[];
  /** The contracts' interfaces, one line for each function, event and error. */
  readonly abis: Readonly<Record<string, readonly string[]>>;
};

export const recordOf = (options: {
  profile: string;
  plan: Plan;
  deployment: Deployment;
  roles: DeployRoles;
}): DeploymentRecord => ({
  profile: options.profile,
  deployment: options.deployment,
  deployer: options.plan.deployer,
  terms: options.plan.terms,
  roles: options.roles,
  code: options.plan.deployables.map(({ title, address, runtimeCode }) => ({
    title,
    address,
    hash: keccak256(runtimeCode),
  })),
  abis: Object.fromEntries(
    Object.entries(abis).map(([name, abi]) => [name, new Interface(abi).format(false)]),
  ),
});
