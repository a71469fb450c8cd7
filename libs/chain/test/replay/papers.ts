import { seededRandom } from '@gridbourse/kernel';
import {
  concat,
  id,
  Signature as EcdsaSignature,
  type TypedDataField,
  TypedDataEncoder,
  type Wallet,
} from 'ethers';
import {
  type Address,
  type Bytes32,
  contentOfAuthorization,
  contentOfPermit,
  contentOfSpendingLimit,
  type Order,
  type Signature,
} from '../../src/model/values.ts';
import { CHAIN_ID, deployment, START_SECONDS, tenants, tenantWallets } from './cast.ts';
import { Dice } from './dice.ts';

/** What tenants have signed: drawn and signed once, since signing takes longer than all the rest. */
export type Papers = {
  readonly orders: readonly SignedPaper<readonly [Order]>[];
  readonly limits: readonly SignedPaper<readonly [Address, bigint, bigint, bigint, bigint, bigint]>[];
  readonly permits: readonly SignedPaper<readonly [amount: bigint, deadline: bigint]>[];
  readonly authorizations: readonly SignedPaper<readonly [Address, bigint, bigint, bigint, Bytes32]>[];
};
export type SignedPaper<Args> = {
  readonly tenant: Address;
  readonly args: Args;
  readonly signature: Signature;
};

export const NO_SIGNATURE: Signature = { signer: '', content: '', bytes: '0x' };
export const FOREVER = 2n ** 40n - 1n;

const HOUR = 3_600n;
const marketDomain = {
  name: 'Gridbourse ComputeMarket',
  version: '1',
  chainId: CHAIN_ID,
  verifyingContract: deployment.addresses.market,
};
const tokenDomain = {
  name: 'USD Coin (test)',
  version: '1',
  chainId: CHAIN_ID,
  verifyingContract: deployment.addresses.token,
};

const fields = (list: string): TypedDataField[] =>
  list.split(',').map((field) => {
    const [type, name] = field.trim().split(' ');
    return { type: type!, name: name! };
  });
const ORDER = {
  Order: fields(
    'address tenant, uint32 providerId, uint64 maxRatePerHour, uint64 maxLock, uint40 deadline, uint256 nonce, bytes32 orderRef',
  ),
};
const LIMIT = {
  SpendingLimit: fields(
    'address tenant, uint64 maxRatePerHour, uint64 maxLocked, uint40 validUntil, uint256 nonce, uint256 deadline',
  ),
};
const PERMIT = {
  Permit: fields('address owner, address spender, uint256 value, uint256 nonce, uint256 deadline'),
};
const AUTHORIZATION = {
  ReceiveWithAuthorization: fields(
    'address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce',
  ),
};

const sign = (wallet: Wallet, digest: string, content: string): Signature => {
  const { r, s, v } = EcdsaSignature.from(wallet.signingKey.sign(digest));
  const bytes = concat([r, s, v === 27 ? '0x1b' : '0x1c']);
  return { signer: wallet.address.toLowerCase(), content, bytes };
};

/** One in five is signed with another's key. */
const signerOf = (dice: Dice, tenant: number): Wallet =>
  tenantWallets[dice.percent(80) ? tenant : (tenant + 1) % tenants.length]!;

const order = (dice: Dice, tenant: number): Papers['orders'][number] => {
  const terms = {
    tenant: tenants[tenant]!,
    providerId: BigInt(dice.pick([0, 0, 1, 1, 2, 3])),
    maxRatePerHour: dice.pick([3_600_000n, 7_200_001n, 2n ** 64n - 1n]),
    maxLock: dice.pick([3_600_000n, 86_400_000n, 2n ** 64n - 1n]),
    deadline: dice.pick([START_SECONDS + HOUR, START_SECONDS + 48n * HOUR, FOREVER, FOREVER]),
    nonce: dice.pick([0n, 1n, 2n, 3n, 16n, 256n]),
    orderRef: id(`order ${dice.below(1_000_000)}`),
  };
  const hash = TypedDataEncoder.hash(marketDomain, ORDER, terms);
  const signature = sign(signerOf(dice, tenant), hash, hash);
  return { tenant: terms.tenant, args: [{ ...terms, hash }], signature };
};

const limit = (dice: Dice, index: number): Papers['limits'][number] => {
  const tenant = tenants[index]!;
  const maxRatePerHour = dice.pick([0n, 7_200_000n, 2n ** 64n - 1n]);
  const maxLocked = dice.pick([0n, 172_800_000n, 2n ** 64n - 1n]);
  const validUntil = dice.pick([START_SECONDS + 24n * HOUR, FOREVER]);
  const nonce = dice.pick([0n, 1n, 2n, 3n]);
  const deadline = dice.pick([START_SECONDS + HOUR, FOREVER]);
  const message = { tenant, maxRatePerHour, maxLocked, validUntil, nonce, deadline };
  const digest = TypedDataEncoder.hash(marketDomain, LIMIT, message);
  const content = contentOfSpendingLimit(tenant, maxRatePerHour, maxLocked, validUntil, nonce, deadline);
  const args = [tenant, maxRatePerHour, maxLocked, validUntil, nonce, deadline] as const;
  return { tenant, args, signature: sign(signerOf(dice, index), digest, content) };
};

const permit = (dice: Dice, index: number): Papers['permits'][number] => {
  const owner = tenants[index]!;
  const spender = deployment.addresses.market;
  const value = dice.pick([1n, 50_000_000n, 400_000_000n]);
  const nonce = BigInt(dice.below(3));
  const deadline = dice.pick([START_SECONDS + HOUR, FOREVER]);
  const digest = TypedDataEncoder.hash(tokenDomain, PERMIT, { owner, spender, value, nonce, deadline });
  const content = contentOfPermit(owner, spender, value, nonce, deadline);
  return { tenant: owner, args: [value, deadline], signature: sign(signerOf(dice, index), digest, content) };
};

const authorization = (dice: Dice, index: number): Papers['authorizations'][number] => {
  const from = tenants[index]!;
  const to = deployment.addresses.market;
  const value = dice.pick([1n, 60_000_000n, 10n ** 15n]);
  const validAfter = dice.pick([0n, START_SECONDS, START_SECONDS + HOUR]);
  const validBefore = dice.pick([START_SECONDS + 24n * HOUR, FOREVER]);
  const nonce = id(`authorization ${dice.below(4)}`);
  const message = { from, to, value, validAfter, validBefore, nonce };
  const digest = TypedDataEncoder.hash(tokenDomain, AUTHORIZATION, message);
  const content = contentOfAuthorization(from, to, value, validAfter, validBefore, nonce);
  const args = [from, value, validAfter, validBefore, nonce] as const;
  return { tenant: from, args, signature: sign(signerOf(dice, index), digest, content) };
};

const several = <T>(count: number, draw: (index: number) => T): T[] =>
  tenants.flatMap((_, index) => Array.from({ length: count }, () => draw(index)));

/** The same papers for the same seed. */
export const drawPapers = (seed: number): Papers => {
  const dice = new Dice(seededRandom(seed));
  return {
    orders: several(14, (index) => order(dice, index)),
    limits: several(6, (index) => limit(dice, index)),
    permits: several(6, (index) => permit(dice, index)),
    authorizations: several(6, (index) => authorization(dice, index)),
  };
};
