import { getCreateAddress, id, Wallet } from 'ethers';
import { type Address } from '../../src/model/values.ts';
import { type Deployment } from '../../src/model/world.ts';

/** The accounts, addresses and times of contracts/test/Base.sol, which the replay deploys. */
const address = (value: number): Address => `0x${value.toString(16).padStart(40, '0')}`;

export const START_SECONDS = 1_700_000_000n;
/** Foundry's. */
export const CHAIN_ID = 31_337;
/** Where Foundry puts a test's contract; it creates the others. */
const TEST_CONTRACT = '0x7FA9385bE102ac3EAc297483Dd6233D62b3e1496';
const created = (nonce: number): Address => getCreateAddress({ from: TEST_CONTRACT, nonce }).toLowerCase();

const OPERATOR = address(0x09);
const PAUSER = address(0x9a);
const RATER = address(0x71e5);
const SUSPENDER = address(0x5059);
const SLASHER = address(0x51a5);
const DISPUTER = address(0xd15);
const POSTER = address(0x905);
export const TREASURY = address(0x7ea5);
export const STRANGER = address(0x57);
export const FUNDER = address(0xf0d);

const HOUR = 3_600n;
const DAY = 24n * HOUR;

const role = (name: string, holder: Address): { id: string; holder: Address } => ({ id: id(name), holder });

export const deployment: Deployment = {
  // Each contract after its code, which follows the token and the timelock.
  addresses: { token: created(1), registry: created(4), market: created(6), rewards: created(8) },
  roles: {
    OPERATOR_ROLE: role('OPERATOR_ROLE', OPERATOR),
    PAUSER_ROLE: role('PAUSER_ROLE', PAUSER),
    TIER_ROLE: role('TIER_ROLE', RATER),
    SUSPENDER_ROLE: role('SUSPENDER_ROLE', SUSPENDER),
    SLASHER_ROLE: role('SLASHER_ROLE', SLASHER),
    DISPUTE_ROLE: role('DISPUTE_ROLE', DISPUTER),
    POSTER_ROLE: role('POSTER_ROLE', POSTER),
  },
  treasury: TREASURY,
  forceCloseAfterSeconds: DAY,
  stopNoticeSeconds: HOUR,
  thawSeconds: 7n * DAY,
  disputeSeconds: 3n * DAY,
  executionSeconds: 4n * DAY,
  eraSeconds: DAY,
  eraCapBps: 5_000n,
  rewardDisputeSeconds: 3n * DAY,
  claimSeconds: 365n * DAY,
};

/** Tenants sign; so they have keys. */
export const tenantWallets = ['tenant one', 'tenant two', 'tenant three'].map((name) => new Wallet(id(name)));
export const tenants: readonly Address[] = tenantWallets.map((wallet) => wallet.address.toLowerCase());

/** The third provider's owner is the third tenant: one account can be both. */
export const owners: readonly Address[] = [address(0xb001), address(0xb002), tenants[2]!];
export const payouts: readonly Address[] = [address(0xf001), address(0xf002), address(0xf003)];
export const providerIds = [1n, 2n, 3n] as const;
/** Never registered. */
export const UNKNOWN_PROVIDER = 9n;

export const leaseKeys: readonly bigint[] = [
  ...[1n, 2n, 3n].map((serial) => (1n << 64n) + serial),
  ...[1n, 2n].map((serial) => (2n << 64n) + serial),
  (3n << 64n) + 2n ** 64n - 1n,
  UNKNOWN_PROVIDER << 64n,
];

/** The eras that sequences are about: two before the first call, its own, and some after it. */
export const eras: readonly bigint[] = [-2n, -1n, 0n, 1n, 2n, 370n].map(
  (after) => START_SECONDS / DAY + after,
);

export const everyone: readonly Address[] = [
  ...tenants,
  ...owners.slice(0, 2),
  ...payouts,
  ...Object.values(deployment.roles).map(({ holder }) => holder),
  TREASURY,
  STRANGER,
  FUNDER,
];
