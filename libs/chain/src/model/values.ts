/** `0x` and 40 lower-case hexadecimal digits. */
export type Address = string;
/** `0x` and 64 lower-case hexadecimal digits. */
export type Bytes32 = string;
/** An argument or result of the contracts, as Solidity knows it: a number, a flag, or hexadecimal text. */
export type Value = bigint | boolean | string;

export const ZERO_ADDRESS: Address = `0x${'0'.repeat(40)}`;
export const ZERO_BYTES32: Bytes32 = `0x${'0'.repeat(64)}`;

export type ContractName = 'token' | 'market' | 'registry' | 'rewards';

/** What a contract logs, with its arguments in the order of their declaration. */
export type Logged = {
  readonly contract: ContractName;
  readonly name: string;
  readonly args: readonly Value[];
};

/** What a call that is not refused has done: the logs in their order, and what it returned. */
export type Effect = { readonly logs: readonly Logged[]; readonly returned: readonly Value[] };

/**
 * A signature, by what counts of it: whose key made it, and over which content. A contract takes it where both are what
 * it expects; the mathematics of curves is none of the money's rules.
 */
export type Signature = {
  readonly signer: Address;
  /** `contentOf...` of what was signed. */
  readonly content: string;
  /** r, s, v; `0x` where there is none. */
  readonly bytes: string;
};

/** What a tenant agrees to for one lease: SignedConsent.sol. */
export type Order = {
  readonly tenant: Address;
  /** 0 for any */
  readonly providerId: bigint;
  readonly maxRatePerHour: bigint;
  readonly maxLock: bigint;
  readonly deadline: bigint;
  readonly nonce: bigint;
  readonly orderRef: Bytes32;
  /** EIP-712 hash of all the above: the order's identity. */
  readonly hash: Bytes32;
};

export type BatchRow = { readonly serial: bigint; readonly cumulative: bigint };
export type BatchGroup = { readonly providerId: bigint; readonly rows: readonly BatchRow[] };
/** What `settleBatch` is given: groups of rows, or bytes that are no batch. */
export type Batch = { readonly groups: readonly BatchGroup[] } | { readonly malformed: string };

export type Reward = {
  readonly era: bigint;
  readonly providerId: bigint;
  readonly previous: bigint;
  readonly cumulative: bigint;
};

/** A merkle proof, by what counts of it: the root that it leads to, and from which leaf. */
export type Proof = { readonly root: Bytes32; readonly leaf: string; readonly siblings: readonly Bytes32[] };

export const contentOfSpendingLimit = (
  tenant: Address,
  maxRatePerHour: bigint,
  maxLocked: bigint,
  validUntil: bigint,
  nonce: bigint,
  deadline: bigint,
): string => `limit ${[tenant, maxRatePerHour, maxLocked, validUntil, nonce, deadline].join(' ')}`;

export const contentOfPermit = (
  owner: Address,
  spender: Address,
  amount: bigint,
  nonce: bigint,
  deadline: bigint,
): string => `permit ${[owner, spender, amount, nonce, deadline].join(' ')}`;

export const contentOfAuthorization = (
  from: Address,
  to: Address,
  amount: bigint,
  validAfter: bigint,
  validBefore: bigint,
  nonce: Bytes32,
): string => `authorization ${[from, to, amount, validAfter, validBefore, nonce].join(' ')}`;

export const contentOfReward = (reward: Reward): string =>
  `reward ${[reward.era, reward.providerId, reward.previous, reward.cumulative].join(' ')}`;
