import {
  type Market,
  type Order,
  orderTypedData,
  type SpendingLimit,
  spendingLimitTypedData,
  type TypedDataDomain,
  type TypedDataField,
} from '@gridbourse/consent';

/** What a wallet must be able to do: sign typed data (EIP-712). Every signer of ethers can. */
export type TypedDataSigner = {
  signTypedData(
    domain: TypedDataDomain,
    types: Record<string, TypedDataField[]>,
    message: Record<string, unknown>,
  ): Promise<string>;
};

/** A consent that whoever has it may hand in, within its deadline and once: the tenant needs no gas. */
export type Signed<Consent> = { readonly consent: Consent; readonly signature: string };

const copy = (types: Readonly<Record<string, readonly TypedDataField[]>>) =>
  Object.fromEntries(Object.entries(types).map(([name, fields]) => [name, [...fields]]));

/**
 * Signs an order: the operator opens one lease with it, within its bounds, whatever the tenant's spending limit is.
 * @param signer the tenant's wallet, or a key that the tenant's contract wallet accepts (ERC-1271)
 * @throws DomainError `invalid_consent`
 */
export const signOrder = async (
  signer: TypedDataSigner,
  market: Market,
  order: Order,
): Promise<Signed<Order>> => {
  const { domain, types, message } = orderTypedData(market, order);
  return { consent: order, signature: await signer.signTypedData(domain, copy(types), { ...message }) };
};

/**
 * Signs a spending limit, to be handed in by anyone in the tenant's name.
 * @throws DomainError `invalid_consent`
 */
export const signSpendingLimit = async (
  signer: TypedDataSigner,
  market: Market,
  limit: SpendingLimit,
): Promise<Signed<SpendingLimit>> => {
  const { domain, types, message } = spendingLimitTypedData(market, limit);
  return { consent: limit, signature: await signer.signTypedData(domain, copy(types), { ...message }) };
};
