import { type DataDir, devKey, StartError, until } from '@gridbourse/infra';
import { ApiError, GridbourseClient } from '@gridbourse/sdk';
import { Wallet } from 'ethers';
import { SERVICE_NAMES } from './service-names.ts';

const KNOWN_DEADLINE_MS = 60_000;

/** An account on a platform of this machine, as it lies in the data folder: a well-known local wallet, and an API key. */
export type LocalAccount = {
  accountId: string;
  wallet: string;
  privateKey: string;
  apiKey: string;
  origin: string;
};

type Role = {
  /** Of the data folder; only its owner can read it. */
  readonly file: string;
  readonly keyIndex: number;
  readonly keyName: string;
  readonly scopes?: string[];
  /** One question to each service that must know the key, which it answers to nobody else. */
  readonly asks: (client: GridbourseClient) => (() => Promise<unknown>)[];
};

/** A tenant to try things with. */
const TENANT: Role = {
  file: 'demo-tenant.json',
  keyIndex: 5,
  keyName: 'demo',
  asks: (client) => [
    () => client.orders({ limit: 1 }),
    () => client.escrow(),
    // Any id will do: who may ask is decided first.
    () => client.workload('lea_00000000000000000000000000'),
  ],
};

/** Whoever runs the platform. */
const OPERATOR: Role = {
  file: 'operator.json',
  keyIndex: 4,
  keyName: 'local operator',
  scopes: ['operator'],
  asks: (client) => SERVICE_NAMES.map((service) => () => client.deadLetters(service, { limit: 1 })),
};

/** The wallet whose account may operate a platform on this machine. */
export const localOperatorWallet = (): string => devKey(OPERATOR.keyIndex).address.toLowerCase();

const accepts = async (ask: () => Promise<unknown>): Promise<boolean> => {
  try {
    await ask();
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.status !== 401;
  }
};

const clientOf = ({ origin, apiKey }: LocalAccount): GridbourseClient =>
  new GridbourseClient({ origin, auth: { apiKey } });

/** A new key reaches the services as an event: what is shown to a person must work wherever it is used. */
const untilKnownEverywhere = async (role: Role, account: LocalAccount): Promise<void> => {
  for (const ask of role.asks(clientOf(account))) {
    if (await until(() => accepts(ask), KNOWN_DEADLINE_MS)) continue;
    throw new StartError(
      'The services do not hear of each other: a new API key is not known to all of them.',
      'The log says what holds the events up; start again, or begin anew with npm run reset.',
    );
  }
};

/** Signed in the ordinary way. */
const newAccount = async (role: Role, origin: string): Promise<LocalAccount> => {
  const { privateKey } = devKey(role.keyIndex);
  const wallet = new Wallet(privateKey);
  const client = new GridbourseClient({ origin, auth: { none: true } });
  const { accountId } = await client.signIn({
    address: wallet.address,
    signMessage: (message) => wallet.signMessage(message),
  });
  const { key } = await client.createApiKey(role.keyName, role.scopes ? { scopes: role.scopes } : {});
  return { accountId, wallet: wallet.address.toLowerCase(), privateKey, apiKey: key, origin };
};

const ensure = async (role: Role, dir: DataDir, origin: string): Promise<LocalAccount> => {
  const known = dir.read<LocalAccount>(role.file);
  const [first] = known ? role.asks(clientOf({ ...known, origin })) : [];
  const account =
    known && first && (await accepts(first)) ? { ...known, origin } : await newAccount(role, origin);
  dir.write(role.file, account);
  await untilKnownEverywhere(role, account);
  return account;
};

export const ensureDemoTenant = (dir: DataDir, origin: string): Promise<LocalAccount> =>
  ensure(TENANT, dir, origin);

export const ensureLocalOperator = (dir: DataDir, origin: string): Promise<LocalAccount> =>
  ensure(OPERATOR, dir, origin);
