import { type DataDir, devKey } from '@gridbourse/infra';
import { ApiError, GridbourseClient } from '@gridbourse/sdk';
import { Wallet } from 'ethers';

const TENANT_KEY_INDEX = 5;
export const DEMO_TENANT_FILE = 'demo-tenant.json';

export type DemoTenant = {
  accountId: string;
  wallet: string;
  privateKey: string;
  apiKey: string;
  origin: string;
};

const stillKnown = async (tenant: DemoTenant): Promise<boolean> => {
  try {
    await new GridbourseClient({ origin: tenant.origin, auth: { apiKey: tenant.apiKey } }).account();
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
};

/** A tenant to try things with: a well-known local wallet, signed in the ordinary way, and an API key for it. */
export const ensureDemoTenant = async (dir: DataDir, origin: string): Promise<DemoTenant> => {
  const known = dir.read<DemoTenant>(DEMO_TENANT_FILE);
  if (known && (await stillKnown({ ...known, origin }))) {
    const tenant = { ...known, origin };
    dir.write(DEMO_TENANT_FILE, tenant);
    return tenant;
  }
  const { privateKey } = devKey(TENANT_KEY_INDEX);
  const wallet = new Wallet(privateKey);
  const client = new GridbourseClient({ origin, auth: { none: true } });
  const { accountId } = await client.signIn({
    address: wallet.address,
    signMessage: (message) => wallet.signMessage(message),
  });
  const { key } = await client.createApiKey('demo');
  const tenant = { accountId, wallet: wallet.address.toLowerCase(), privateKey, apiKey: key, origin };
  dir.write(DEMO_TENANT_FILE, tenant);
  return tenant;
};
