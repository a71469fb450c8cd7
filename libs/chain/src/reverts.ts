import type { ErrorDescription } from 'ethers';
import { interfaces } from './contracts.ts';

export type Revert = {
  /** Name of the custom error (`InsufficientFree`), or `Error`, `Panic`, `UnknownRevert`, `NotARevert`. */
  readonly code: string;
  readonly message: string;
  /** Arguments of the custom error by name; amounts as decimal strings. */
  readonly args: Readonly<Record<string, string>>;
};

const HEX = /^0x(?:[0-9a-fA-F]{2})*$/;

/** Finds the revert data wherever a node, ethers or we have put it. */
const revertDataOf = (error: unknown, depth = 0): string | null => {
  if (typeof error === 'string') return HEX.test(error) ? error : null;
  if (typeof error !== 'object' || error === null || depth > 4) return null;
  const fields = error as Record<string, unknown>;
  for (const name of ['data', 'error', 'info', 'cause']) {
    const found = revertDataOf(fields[name], depth + 1);
    if (found !== null) return found;
  }
  return null;
};

const describe = (description: ErrorDescription): Revert => {
  const names = description.fragment.inputs.map((input, index) => input.name || String(index));
  const args = Object.fromEntries(names.map((name, index) => [name, String(description.args[index])]));
  const told = Object.entries(args)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ');
  return {
    code: description.name,
    message: told === '' ? description.name : `${description.name}: ${told}`,
    args,
  };
};

/**
 * Names what a contract refused. Takes an RpcError, an error of ethers, or the revert data itself.
 * `NotARevert` means that the error says nothing of a contract.
 */
export const explainRevert = (error: unknown): Revert => {
  const data = revertDataOf(error);
  const told = error instanceof Error ? error.message.slice(0, 300) : '';
  if (data === null) return { code: 'NotARevert', message: told || 'no revert data', args: {} };
  for (const contract of Object.values(interfaces)) {
    const description = data.length >= 10 ? contract.parseError(data) : null;
    if (description) return describe(description);
  }
  return { code: 'UnknownRevert', message: told || `reverted with ${data.slice(0, 74)}`, args: {} };
};
