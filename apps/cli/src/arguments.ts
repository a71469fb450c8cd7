import { DomainError, type Micros, parseUsdc } from '@gridbourse/kernel';
import { InvalidArgumentError } from 'commander';

/** For options that take a whole number: `.argParser(wholeNumber(1, 7))`. Both ends are allowed. */
export const wholeNumber =
  (least: number, most: number) =>
  (text: string): number => {
    const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`expected a whole number from ${least} to ${most}`);
  };

/** @throws DomainError `invalid_amount` also for nothing: a transfer of nothing is a mistake */
export const parsePositiveUsdc = (text: string): Micros => {
  const micros = parseUsdc(text);
  if (micros > 0n) return micros;
  throw new DomainError('invalid', 'invalid_amount', `"${text}" is nothing: expected more than zero USDC`);
};
