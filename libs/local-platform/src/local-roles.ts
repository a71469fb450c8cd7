import type { DeployRoles } from '@gridbourse/chain';
import { devKey } from '@gridbourse/infra';

const DEPLOYER = 0;
/** The relayer's keys: several, so that transactions of different leases do not queue behind each other. */
const OPERATORS = [1, 2, 3];
/** Accounts 4, 5, and 10 and more are people of the local market. */
const PAUSER = 6;
const STANDING = { tierSetter: 7, suspender: 8, rewardPoster: 9 };
/** Beyond those that the local market gives to providers. */
const JUSTICE = { slasher: 1_000, disputer: 1_001 };
const UPGRADES = { proposer: 1_002, canceller: 1_003 };
const TREASURY = 1_004;

const account = (index: number): string => devKey(index).address;

export const localDeployerKey = (): string => devKey(DEPLOYER).privateKey;

export const operatorKeys = (): string[] => OPERATORS.map((index) => devKey(index).privateKey);

/** Who may do what on a local chain: every role has a key of its own, as on any other, but that the deployer stays admin. */
export const localRoles = (): DeployRoles => ({
  operator: OPERATORS.map(account),
  pauser: [account(PAUSER)],
  tierSetter: [account(STANDING.tierSetter)],
  suspender: [account(STANDING.suspender)],
  rewardPoster: [account(STANDING.rewardPoster)],
  slasher: [account(JUSTICE.slasher)],
  disputer: [account(JUSTICE.disputer)],
  upgradeProposer: [account(UPGRADES.proposer)],
  upgradeCanceller: [account(UPGRADES.canceller)],
  treasury: account(TREASURY),
  admin: account(DEPLOYER),
});
