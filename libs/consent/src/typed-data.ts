export type TypedDataField = { readonly name: string; readonly type: string };

export type TypedDataDomain = {
  readonly name: string;
  readonly version: string;
  readonly chainId: number;
  readonly verifyingContract: string;
};

/**
 * What a wallet signs (EIP-712): what ethers' `signTypedData(domain, types, message)` and viem's `signTypedData` take, and,
 * with the integers as decimal strings, `eth_signTypedData_v4`.
 */
export type TypedData<Message> = {
  readonly domain: TypedDataDomain;
  readonly types: Readonly<Record<string, readonly TypedDataField[]>>;
  readonly primaryType: string;
  readonly message: Message;
};
