import { devKey } from '@gridbourse/chain';
import { Wallet } from 'ethers';
import { SiweMessage } from 'siwe';
import type { DataDir } from '../data-dir.ts';

const TENANT_KEY_INDEX = 5;
export const DEMO_TENANT_FILE = 'demo-tenant.json';

export type DemoTenant = {
  accountId: string;
  wallet: string;
  privateKey: string;
  apiKey: string;
  origin: string;
};

type Nonce = { nonce: string; domain: string; uri: string; chainId: number };

const call = async <T>(origin: string, path: string, init: RequestInit = {}): Promise<T> => {
  const response = await fetch(`${origin}${path}`, { ...init, signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text.slice(0, 300)}`);
  return JSON.parse(text) as T;
};

const post = <T>(origin: string, path: string, body: unknown, token?: string): Promise<T> =>
  call(origin, path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify(body),
  });

/** A tenant to try things with: a well-known local wallet, signed in the ordinary way, and an API key for it. */
export const ensureDemoTenant = async (dir: DataDir, origin: string): Promise<DemoTenant> => {
  const known = dir.read<DemoTenant>(DEMO_TENANT_FILE);
  if (known) {
    const answer = await fetch(`${origin}/v1/accounts/me`, {
      headers: { authorization: `Bearer ${known.apiKey}` },
      signal: AbortSignal.timeout(10_000),
    });
    if (answer.ok) {
      const tenant = { ...known, origin };
      dir.write(DEMO_TENANT_FILE, tenant);
      return tenant;
    }
  }
  const { privateKey } = devKey(TENANT_KEY_INDEX);
  const wallet = new Wallet(privateKey);
  const nonce = await post<Nonce>(origin, '/v1/auth/nonce', {});
  const message = new SiweMessage({
    domain: nonce.domain,
    address: wallet.address,
    statement: 'Sign in to Gridbourse.',
    uri: nonce.uri,
    version: '1',
    chainId: nonce.chainId,
    nonce: nonce.nonce,
  }).prepareMessage();
  const login = await post<{ accessToken: string; accountId: string }>(origin, '/v1/auth/login', {
    message,
    signature: await wallet.signMessage(message),
  });
  const issued = await post<{ key: string }>(origin, '/v1/api-keys', { name: 'demo' }, login.accessToken);
  const tenant = {
    accountId: login.accountId,
    wallet: wallet.address.toLowerCase(),
    privateKey,
    apiKey: issued.key,
    origin,
  };
  dir.write(DEMO_TENANT_FILE, tenant);
  return tenant;
};
