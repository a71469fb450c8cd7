import { balanceRules } from './balances.ts';
import { consentRules } from './consent.ts';
import { leaseRules } from './leases.ts';
import { Refusal } from './refusal.ts';
import { registryRules } from './registry.ts';
import { rewardRules } from './rewards.ts';
import { settlementRules } from './settlement.ts';
import { slashingRules } from './slashing.ts';
import { tokenRules } from './token.ts';
import { type Address, type Effect } from './values.ts';
import { type World } from './world.ts';

/**
 * The money rules of the contracts, written down a second time and in another language, from their documentation: one
 * function for each call that changes state, by the name and with the arguments that it has in Solidity. Each checks
 * first, in the contract's order, and throws a Refusal before it has changed anything.
 */
export const rules = {
  token: tokenRules,
  market: { ...balanceRules, ...consentRules, ...leaseRules, ...settlementRules },
  registry: { ...registryRules, ...slashingRules },
  rewards: rewardRules,
};

type Rules = typeof rules;
type ArgsOf<Rule> = Rule extends (world: World, sender: Address, ...args: infer Args) => Effect
  ? Args
  : never;

/** One call: who sends what to which contract, so many seconds after the call before it. */
export type Operation = {
  [Contract in keyof Rules]: {
    [Method in keyof Rules[Contract]]: {
      readonly contract: Contract;
      readonly method: Method;
      readonly sender: Address;
      readonly args: Readonly<ArgsOf<Rules[Contract][Method]>>;
      readonly afterSeconds: bigint;
    };
  }[keyof Rules[Contract]];
}[keyof Rules];

export type Outcome = { readonly effect: Effect } | { readonly refusal: Refusal };

type AnyRule = (world: World, sender: Address, ...args: readonly unknown[]) => Effect;

/** Lets the time pass, and carries the call out or says how the contract refuses it. */
export const perform = (world: World, operation: Operation): Outcome => {
  world.nowSeconds += operation.afterSeconds;
  const rule = (rules[operation.contract] as unknown as Record<string, AnyRule>)[operation.method]!;
  try {
    return { effect: rule(world, operation.sender, ...operation.args) };
  } catch (error) {
    if (error instanceof Refusal) return { refusal: error };
    throw error;
  }
};
