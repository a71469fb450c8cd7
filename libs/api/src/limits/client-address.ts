import { isIPv6 } from 'node:net';

const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;
const GROUPS = 8;
/** Whoever has one address of IPv6 has a whole /64 of them. */
const GROUPS_OF_A_CUSTOMER = 4;

/** Who counts as one caller among those that are known by their address alone. */
export const addressSubject = (address: string): string => {
  const mapped = MAPPED_IPV4.exec(address);
  if (mapped) return mapped[1]!;
  const plain = address.split('%', 1)[0]!;
  if (!isIPv6(plain)) return /^[\x21-\x7e]{1,60}$/.test(plain) ? plain : 'unknown';
  const [head = '', tail] = plain.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros =
    tail === undefined ? [] : Array.from({ length: GROUPS - left.length - right.length }, () => '0');
  const groups = [...left, ...zeros, ...right].slice(0, GROUPS_OF_A_CUSTOMER);
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}::/64`;
};
