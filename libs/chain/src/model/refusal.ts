import { type Value } from './values.ts';

/** A call that the contract reverts, with the very error it reverts with. Nothing has moved. */
export class Refusal extends Error {
  constructor(
    /** Name of the custom error; `Panic` for Solidity's own. */
    readonly errorName: string,
    readonly args: readonly Value[],
  ) {
    super(`${errorName}(${args.join(', ')})`);
  }
}

/** @throws Refusal */
export const refuse = (errorName: string, ...args: readonly Value[]): never => {
  throw new Refusal(errorName, args);
};

/** Solidity's code for arithmetic that does not fit its type. */
export const OVERFLOW = 0x11n;
