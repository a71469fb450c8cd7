import { DomainError } from '@gridbourse/kernel';
import type { DeployParams } from './terms.ts';

/** A chain that the contracts are made for. */
export type DeployProfile = {
  readonly name: string;
  readonly chainId: number;
  readonly params: DeployParams;
  /** Each role has a key of its own, and none is left out. */
  readonly separateRoles: boolean;
};

/**
 * USDC as Circle issues it, not the older USDC.e that came over the bridge:
 * https://developers.circle.com/stablecoins/usdc-contract-addresses. Both take permits and EIP-3009 authorizations.
 */
const USDC = {
  arbitrumOne: '0xaf88d065e77c8cc2239327c5edb3a432268e5831',
  arbitrumSepolia: '0x75faf114eafb1bdbe2f0316df893fd58ce46aa4d',
} as const;

export const DEPLOY_PROFILES: readonly DeployProfile[] = [
  { name: 'local', chainId: 31_337, params: {}, separateRoles: false },
  {
    name: 'arbitrum-sepolia',
    chainId: 421_614,
    params: { token: USDC.arbitrumSepolia },
    separateRoles: true,
  },
  { name: 'arbitrum-one', chainId: 42_161, params: { token: USDC.arbitrumOne }, separateRoles: true },
];

/** @throws DomainError `unknown_profile` */
export const deployProfile = (name: string): DeployProfile => {
  const profile = DEPLOY_PROFILES.find((one) => one.name === name);
  if (profile) return profile;
  const known = DEPLOY_PROFILES.map((one) => one.name).join(', ');
  throw new DomainError('invalid', 'unknown_profile', `there is no profile "${name}": ${known}`);
};
