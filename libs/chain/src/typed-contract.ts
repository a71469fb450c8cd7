import type {
  BaseContract,
  ConstantContractMethod,
  ContractMethod,
  ContractTransactionResponse,
} from 'ethers';

declare const sends: unique symbol;

/** In generated types: a function that changes the chain, and what it returns to a contract that calls it. */
export type Sends<Result> = { readonly [sends]: Result };

type Method<Signature> = Signature extends (...args: infer Args) => infer Result
  ? Result extends Sends<infer Returned>
    ? ContractMethod<Args, Returned, ContractTransactionResponse>
    : ConstantContractMethod<Args, Result>
  : never;

/** A contract of ethers that has the functions that the compiler says it has, and no other. */
export type TypedContract<Functions> = BaseContract & {
  readonly [Name in keyof Functions]: Method<Functions[Name]>;
};

/** The arguments of one of a contract's functions. */
export type ArgumentsOf<Functions, Name extends keyof Functions> = Functions[Name] extends (
  ...args: infer Args
) => unknown
  ? Args
  : never;
