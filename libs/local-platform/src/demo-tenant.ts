import { type DataDir, devKey, StartError, until } from '@gridbourse/infra';
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

const KNOWN_DEADLINE_MS = 60_000;

const accepts = async (ask: () => Promise<unknown>): Promise<boolean> => {
  try {
    await ask();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.status !== 401;
  }
};

const clientOf = ({ origin, apiKey }: DemoTenant): GridbourseClient =>
  new GridbourseClient({ origin, auth: { apiKey } });

/** A new key reaches the services as an event: what is shown to a person must work wherever it is used. */
const untilKnownEverywhere = async (tenant: DemoTenant): Promise<void> => {
  const client = clientOf(tenant);
  const asks = [
    () => client.orders({ limit: 1 }),
    () => client.escrow(),
    // Any id will do: who may ask is decided first.
    () => client.workload('lea_00000000000000000000000000'),
  ];
  for (const ask of asks) {
    if (await until(() => accepts(ask), KNOWN_DEADLINE_MS)) continue;
    throw new StartError(
      'The services do not hear of each other: a new API key is not known to all of them.',
      'The log says what holds the events up; start again, or begin anew with npm run reset.',
    );
  }
};

/** A tenant to try things with: a well-known local wallet, signed in the ordinary way, and an API key for it. */
export const ensureDemoTenant = async (dir: DataDir, origin: string): Promise<DemoTenant> => {
  const known = dir.read<DemoTenant>(DEMO_TENANT_FILE);
  const tenant =
    known && (await accepts(() => clientOf({ ...known, origin }).account()))
      ? { ...known, origin }
      : await newTenant(origin);
  dir.write(DEMO_TENANT_FILE, tenant);
  await untilKnownEverywhere(tenant);
  return tenant;
};

const newTenant = async (origin: string): Promise<DemoTenant> => {
  const { privateKey } = devKey(TENANT_KEY_INDEX);
  const wallet = new Wallet(privateKey);
  const client = new GridbourseClient({ origin, auth: { none: true } });
  const { accountId } = await client.signIn({
    address: wallet.address,
    signMessage: (message) => wallet.signMessage(message),
  });
  const { key } = await client.createApiKey('demo');
  return { accountId, wallet: wallet.address.toLowerCase(), privateKey, apiKey: key, origin };
};
