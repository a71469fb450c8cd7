import { MAX_UINT256 } from './amounts.ts';
import { refuse } from './refusal.ts';
import {
  type Address,
  type Bytes32,
  contentOfAuthorization,
  contentOfPermit,
  type ContractName,
  type Effect,
  type Logged,
  type Signature,
} from './values.ts';
import { type World } from './world.ts';

/** TestUSDC: an ordinary ERC-20 with permit (EIP-2612) and receiveWithAuthorization (EIP-3009). */
const keyOf = (owner: Address, spender: Address): string => `${owner} ${spender}`;

export const balanceOf = (world: World, account: Address): bigint => world.token.balances.get(account) ?? 0n;

export const allowanceOf = (world: World, owner: Address, spender: Address): bigint =>
  world.token.allowances.get(keyOf(owner, spender)) ?? 0n;

const move = (world: World, from: Address, to: Address, amount: bigint): Logged => {
  const { balances } = world.token;
  balances.set(from, balanceOf(world, from) - amount);
  balances.set(to, balanceOf(world, to) + amount);
  return { contract: 'token', name: 'Transfer', args: [from, to, amount] };
};

/** @throws Refusal ERC20InsufficientBalance */
const requireBalance = (world: World, account: Address, amount: bigint): void => {
  const balance = balanceOf(world, account);
  if (balance < amount) refuse('ERC20InsufficientBalance', account, balance, amount);
};

/** Gives what a contract has; it always has what it owes. */
export const payOut = (world: World, contract: ContractName, to: Address, amount: bigint): Logged =>
  move(world, world.deployment.addresses[contract], to, amount);

export type Pull = () => readonly Logged[];

/**
 * Checks that a contract can take an allowed amount; the result takes it.
 * @param permitted the allowance that a permit of the same call gives
 * @throws Refusal ERC20InsufficientAllowance, ERC20InsufficientBalance
 */
export const pull = (
  world: World,
  from: Address,
  contract: ContractName,
  amount: bigint,
  permitted?: bigint,
): Pull => {
  const to = world.deployment.addresses[contract];
  const allowance = permitted ?? allowanceOf(world, from, to);
  if (allowance < amount) refuse('ERC20InsufficientAllowance', to, allowance, amount);
  requireBalance(world, from, amount);
  return () => {
    // The highest allowance is for ever.
    if (allowance !== MAX_UINT256) world.token.allowances.set(keyOf(from, to), allowance - amount);
    return [move(world, from, to, amount)];
  };
};

/** Whether a permit for a contract holds now; one that does not is ignored by `depositWithPermit`. */
export const permitHolds = (
  world: World,
  owner: Address,
  contract: ContractName,
  amount: bigint,
  deadline: bigint,
  signature: Signature,
): boolean => {
  const nonce = world.token.permitNonces.get(owner) ?? 0n;
  const content = contentOfPermit(owner, world.deployment.addresses[contract], amount, nonce, deadline);
  return world.nowSeconds <= deadline && signature.signer === owner && signature.content === content;
};

/** Uses up the owner's permit nonce. */
export const usePermit = (world: World, owner: Address, contract: ContractName, amount: bigint): Logged => {
  const spender = world.deployment.addresses[contract];
  world.token.permitNonces.set(owner, (world.token.permitNonces.get(owner) ?? 0n) + 1n);
  world.token.allowances.set(keyOf(owner, spender), amount);
  return { contract: 'token', name: 'Approval', args: [owner, spender, amount] };
};

/**
 * Checks an EIP-3009 authorization for a contract; the result takes the amount.
 * @throws Refusal AuthorizationNotValidNow, AuthorizationUsed, InvalidAuthorization, ERC20InsufficientBalance
 */
export const authorizedPull = (
  world: World,
  from: Address,
  contract: ContractName,
  amount: bigint,
  validAfter: bigint,
  validBefore: bigint,
  nonce: Bytes32,
  signature: Signature,
): Pull => {
  const to = world.deployment.addresses[contract];
  if (world.nowSeconds <= validAfter || world.nowSeconds >= validBefore) refuse('AuthorizationNotValidNow');
  const used = `${from} ${nonce}`;
  if (world.token.usedAuthorizations.has(used)) refuse('AuthorizationUsed');
  const content = contentOfAuthorization(from, to, amount, validAfter, validBefore, nonce);
  if (signature.signer !== from || signature.content !== content) refuse('InvalidAuthorization');
  requireBalance(world, from, amount);
  return () => {
    world.token.usedAuthorizations.add(used);
    return [move(world, from, to, amount)];
  };
};

export const tokenRules = {
  mint: (world: World, _sender: Address, to: Address, amount: bigint): Effect => {
    world.token.balances.set(to, balanceOf(world, to) + amount);
    const minted = {
      contract: 'token',
      name: 'Transfer',
      args: [`0x${'0'.repeat(40)}`, to, amount],
    } as const;
    return { logs: [minted], returned: [] };
  },

  approve: (world: World, sender: Address, spender: Address, amount: bigint): Effect => {
    world.token.allowances.set(keyOf(sender, spender), amount);
    return {
      logs: [{ contract: 'token', name: 'Approval', args: [sender, spender, amount] }],
      returned: [true],
    };
  },

  /** A transfer to a contract is a gift: it belongs to nobody. */
  transfer: (world: World, sender: Address, to: Address, amount: bigint): Effect => {
    requireBalance(world, sender, amount);
    return { logs: [move(world, sender, to, amount)], returned: [true] };
  },
};
