import {
  AbiCoder,
  concat,
  dataSlice,
  getCreate2Address,
  hexlify,
  keccak256,
  toBeHex,
  toUtf8Bytes,
} from 'ethers';
import { id as keccak256OfText, TypedDataEncoder, zeroPadBytes } from 'ethers';

/** Present at this address on every chain of note: deploys with CREATE2, so that addresses follow from the code. */
export const CREATE2_FACTORY = '0x4e59b44847b379578588920ca78fbf26c0b4956c';
/** All of its code (github.com/Arachnid/deterministic-deployment-proxy): what it does with a call is known. */
export const CREATE2_FACTORY_CODE =
  '0x7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3';
export const SALT = keccak256OfText('gridbourse.contracts.v2');

/** What the compiler says of a contract. */
export type Artifact = {
  readonly bytecode: string;
  readonly runtime: {
    readonly offset: number;
    readonly length: number;
    readonly immutables: Readonly<Record<string, readonly number[]>>;
  };
};

/** Something that is deployed: where, by which code, and what code has to lie there afterwards. */
export type Deployable = {
  readonly title: string;
  /** Lower case. It commits to the code and to the constructor's arguments. */
  readonly address: string;
  readonly initCode: string;
  /** With every immutable filled in: to the last byte what `eth_getCode` must answer. */
  readonly runtimeCode: string;
};

/** Values of immutables by name, as 32 bytes in hexadecimal. They may depend on the contract's own address. */
export type Immutables = (self: string) => Readonly<Record<string, string>>;

export const word = (value: bigint | number | string): string => toBeHex(value, 32);

/** How OpenZeppelin keeps a string of less than 32 bytes in one word. */
const shortString = (text: string): string => {
  const bytes = toUtf8Bytes(text);
  return concat([dataSlice(zeroPadBytes(bytes, 32), 0, 31), toBeHex(bytes.length, 1)]);
};

/** What OpenZeppelin's EIP712 remembers of a domain. */
export const eip712Immutables = (name: string, chainId: number, self: string): Record<string, string> => ({
  _name: shortString(name),
  _version: shortString('1'),
  _hashedName: keccak256OfText(name),
  _hashedVersion: keccak256OfText('1'),
  _cachedChainId: word(chainId),
  _cachedThis: word(self),
  _cachedDomainSeparator: TypedDataEncoder.hashDomain({
    name,
    version: '1',
    chainId,
    verifyingContract: self,
  }),
});

/** @param types and values of the constructor's arguments */
export const deployable = (
  title: string,
  artifact: Artifact,
  types: readonly string[],
  values: readonly unknown[],
  immutables: Immutables = () => ({}),
): Deployable => {
  const initCode = concat([artifact.bytecode, AbiCoder.defaultAbiCoder().encode(types, values)]);
  const address = getCreate2Address(CREATE2_FACTORY, SALT, keccak256(initCode)).toLowerCase();
  return { title, address, initCode, runtimeCode: runtimeCodeOf(title, artifact, immutables(address)) };
};

const runtimeCodeOf = (
  title: string,
  { bytecode, runtime }: Artifact,
  values: Readonly<Record<string, string>>,
): string => {
  const code = Buffer.from(
    dataSlice(bytecode, runtime.offset, runtime.offset + runtime.length).slice(2),
    'hex',
  );
  for (const [name, places] of Object.entries(runtime.immutables)) {
    const value = values[name];
    if (value === undefined) throw new Error(`${title}: nothing is known of the immutable ${name}`);
    for (const place of places) code.write(value.slice(2), place, 'hex');
  }
  return hexlify(code);
};
