import { interfaces } from '../contracts.ts';
import type { Deployment } from '../deployment.ts';
import * as computeMarket from '../generated/ComputeMarket.ts';
import * as proxy from '../generated/GridbourseProxy.ts';
import * as livenessRewards from '../generated/LivenessRewards.ts';
import * as providerRegistry from '../generated/ProviderRegistry.ts';
import * as testUsdc from '../generated/TestUSDC.ts';
import * as upgradeTimelock from '../generated/UpgradeTimelock.ts';
import { type Deployable, deployable, eip712Immutables, word } from './code.ts';
import {
  type DeployRoles,
  type Grant,
  type ProxiedContract,
  type TimelockRoles,
  timelockRoles,
  wantedGrants,
} from './roles.ts';
import { type DeployParams, type Terms, termsOf } from './terms.ts';

/** Everything that a deployment consists of. The same input gives the same plan, on any machine. */
export type Plan = {
  readonly chainId: number;
  /** Lower case. */
  readonly deployer: string;
  readonly terms: Terms;
  readonly treasury: string;
  /** In the order in which they can be deployed. */
  readonly deployables: readonly Deployable[];
  readonly contracts: Required<Deployment['contracts']>;
  /** Address of the code behind each proxy. */
  readonly implementations: Readonly<Record<ProxiedContract, string>>;
  readonly grants: readonly Grant[];
  readonly timelock: TimelockRoles;
  /** The deployer gives its right to grant away, once everything else is done. */
  readonly deployerLeaves: boolean;
};

/** @param deployer address of the key that pays, and that is admin until the roles are granted */
export const planDeployment = (options: {
  chainId: number;
  deployer: string;
  roles: DeployRoles;
  params?: DeployParams;
}): Plan => {
  const { chainId, roles, params = {} } = options;
  const deployer = options.deployer.toLowerCase();
  const admin = (roles.admin ?? deployer).toLowerCase();
  const treasury = (roles.treasury ?? admin).toLowerCase();
  const terms = termsOf(params);
  const deployables: Deployable[] = [];
  const add = (one: Deployable): string => {
    deployables.push(one);
    return one.address;
  };

  const token =
    params.token?.toLowerCase() ??
    add(
      deployable('TestUSDC', testUsdc, [], [], (self) => eip712Immutables('USD Coin (test)', chainId, self)),
    );
  const timelock = timelockRoles(roles, deployer);
  const upgrader = add(
    deployable(
      'UpgradeTimelock',
      upgradeTimelock,
      ['uint256', 'address[]', 'address[]', 'address[]'],
      [terms.upgradeDelaySeconds, timelock.proposers, timelock.executors, timelock.cancellers],
    ),
  );
  const common = (self: string) => ({ token: word(token), upgrader: word(upgrader), __self: word(self) });
  const implementations: Partial<Record<ProxiedContract, string>> = {};
  /** The code, and the proxy in front of it; the deployer is admin until the roles are granted. */
  const addProxied = (name: ProxiedContract, code: Deployable, initialize: readonly string[]): string => {
    const implementation = add(code);
    implementations[name] = implementation;
    const call = interfaces[name].encodeFunctionData('initialize', initialize);
    return add(deployable(name, proxy, ['address', 'bytes'], [implementation, call]));
  };

  const registry = addProxied(
    'ProviderRegistry',
    deployable(
      "ProviderRegistry's code",
      providerRegistry,
      ['address', 'address', 'tuple(uint32,uint32,uint32,uint32,uint16)'],
      [
        token,
        upgrader,
        [
          terms.thawSeconds,
          terms.disputeSeconds,
          terms.executionSeconds,
          terms.eraSeconds,
          terms.eraSlashCapBps,
        ],
      ],
      (self) => ({
        ...common(self),
        thawSeconds: word(terms.thawSeconds),
        disputeSeconds: word(terms.disputeSeconds),
        executionSeconds: word(terms.executionSeconds),
        eraSeconds: word(terms.eraSeconds),
        eraCapBps: word(terms.eraSlashCapBps),
      }),
    ),
    [deployer, treasury],
  );
  const market = addProxied(
    'ComputeMarket',
    deployable(
      "ComputeMarket's code",
      computeMarket,
      ['address', 'address', 'address', 'uint32'],
      [token, registry, upgrader, terms.forceCloseAfterSeconds],
      (self) => ({
        ...common(self),
        ...eip712Immutables('Gridbourse ComputeMarket', chainId, self),
        registry: word(registry),
        forceCloseAfterSeconds: word(terms.forceCloseAfterSeconds),
      }),
    ),
    [deployer],
  );
  const rewards = addProxied(
    'LivenessRewards',
    deployable(
      "LivenessRewards' code",
      livenessRewards,
      ['address', 'address', 'address', 'uint32', 'uint32', 'uint32'],
      [token, registry, upgrader, terms.eraSeconds, terms.disputeSeconds, terms.claimSeconds],
      (self) => ({
        ...common(self),
        registry: word(registry),
        eraSeconds: word(terms.eraSeconds),
        disputeSeconds: word(terms.disputeSeconds),
        claimSeconds: word(terms.claimSeconds),
      }),
    ),
    [deployer],
  );
  return {
    chainId,
    deployer,
    terms,
    treasury,
    deployables,
    contracts: {
      ComputeMarket: market,
      ProviderRegistry: registry,
      TestUSDC: token,
      LivenessRewards: rewards,
      UpgradeTimelock: upgrader,
    },
    implementations: implementations as Record<ProxiedContract, string>,
    grants: wantedGrants(roles, deployer),
    timelock,
    deployerLeaves: admin !== deployer,
  };
};
