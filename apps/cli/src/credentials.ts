import { DomainError } from '@gridbourse/kernel';
import type { Tokens } from '@gridbourse/sdk';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const DEFAULT_ORIGIN = 'http://127.0.0.1:8080';

export type Credentials = {
  origin: string;
  apiKey?: string;
  tokens?: Tokens;
  /** Only for wallets that this machine may sign with: a local test wallet. */
  privateKey?: string;
};

/** What `npm start` leaves for us to find: a tenant on the local platform. */
type DemoTenant = { origin: string; apiKey: string; privateKey: string; wallet: string; accountId: string };

const PROJECT_ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export const localDataDir = (): string =>
  process.env['GRIDBOURSE_DATA_DIR'] ?? join(PROJECT_ROOT, '.gridbourse');

const configFile = (): string =>
  join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'gridbourse', 'credentials.json');

const readJson = <T>(file: string): T | undefined => {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (error) {
    throw new DomainError(
      'invalid',
      'unreadable_file',
      `${file} cannot be read: ${(error as Error).message}; remove it and sign in again`,
    );
  }
};

export const demoTenant = (): DemoTenant | undefined => readJson(join(localDataDir(), 'demo-tenant.json'));

export const saveCredentials = (credentials: Credentials): string => {
  const file = configFile();
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  return file;
};

/**
 * In this order: --api-key, GRIDBOURSE_API_KEY, what `gridbourse login` saved for the same origin, the demo tenant of
 * a platform that runs here. Where GRIDBOURSE_DATA_DIR says which platform that is, its tenant comes before another's
 * login: two platforms of one machine have one origin.
 * @throws DomainError `not_signed_in`, unless `anonymous` will do: what anyone may see needs no credentials
 */
export const findCredentials = (options: {
  origin?: string;
  apiKey?: string;
  anonymous?: boolean;
}): Credentials => {
  const origin = options.origin ?? process.env['GRIDBOURSE_ORIGIN'];
  const apiKey = options.apiKey ?? process.env['GRIDBOURSE_API_KEY'];
  const local = demoTenant();
  if (apiKey !== undefined) return { origin: origin ?? local?.origin ?? DEFAULT_ORIGIN, apiKey };
  const saved = readJson<Credentials>(configFile());
  const fitting = saved && (origin === undefined || saved.origin === origin) ? saved : undefined;
  // Signed in as the demo tenant of a platform here: its wallet is ours to sign with.
  if (fitting && local && fitting.tokens?.accountId === local.accountId)
    return { ...fitting, privateKey: local.privateKey };
  const isHere = local !== undefined && (origin === undefined || local.origin === origin);
  if (isHere && (!fitting || process.env['GRIDBOURSE_DATA_DIR'] !== undefined))
    return { origin: local.origin, apiKey: local.apiKey, privateKey: local.privateKey };
  if (fitting) return fitting;
  if (options.anonymous) return { origin: origin ?? DEFAULT_ORIGIN };
  throw new DomainError(
    'unauthenticated',
    'not_signed_in',
    `there are no credentials for ${origin ?? DEFAULT_ORIGIN}: run "gridbourse login", or set GRIDBOURSE_API_KEY`,
  );
};

/**
 * In this order: --api-key, GRIDBOURSE_API_KEY, the operator of a platform that runs here, what `gridbourse login` saved.
 * @throws DomainError `not_signed_in`
 */
export const findOperatorCredentials = (options: { origin?: string; apiKey?: string }): Credentials => {
  const origin = options.origin ?? process.env['GRIDBOURSE_ORIGIN'];
  const given = options.apiKey ?? process.env['GRIDBOURSE_API_KEY'];
  const local = readJson<{ origin: string; apiKey: string }>(join(localDataDir(), 'operator.json'));
  const fits = local !== undefined && (origin === undefined || local.origin === origin);
  if (given !== undefined || !fits) return findCredentials(options);
  return { origin: local.origin, apiKey: local.apiKey };
};
