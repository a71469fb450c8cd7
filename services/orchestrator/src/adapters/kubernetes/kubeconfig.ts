import { DomainError } from '@gridbourse/kernel';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent, type RequestOptions } from 'node:https';
import { parse } from 'yaml';
import { z } from 'zod';

const MAX_KUBECONFIG = 256 * 1024;

/**
 * A provider's kubeconfig is a stranger's file. Only inline credentials are taken: `exec` would run its command on this
 * machine, file names would read our files, a proxy would send our calls elsewhere.
 */
const kubeconfigSchema = z.object({
  'current-context': z.string().min(1),
  clusters: z
    .array(
      z.object({
        name: z.string().min(1),
        cluster: z.strictObject({
          server: z.url({ protocol: /^https?$/ }),
          'certificate-authority-data': z.string().optional(),
          'insecure-skip-tls-verify': z.boolean().optional(),
          'tls-server-name': z.string().optional(),
          extensions: z.unknown().optional(),
        }),
      }),
    )
    .min(1),
  users: z.array(
    z.object({
      name: z.string().min(1),
      user: z
        .strictObject({
          token: z.string().optional(),
          'client-certificate-data': z.string().optional(),
          'client-key-data': z.string().optional(),
          username: z.string().optional(),
          password: z.string().optional(),
          extensions: z.unknown().optional(),
        })
        .nullish(),
    }),
  ),
  contexts: z
    .array(
      z.object({
        name: z.string().min(1),
        context: z.object({ cluster: z.string().min(1), user: z.string().optional() }),
      }),
    )
    .min(1),
});

export type ClusterAccess = {
  /** Base URL without a trailing slash. */
  readonly server: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly agent: HttpAgent | HttpsAgent;
};

const refuse = (message: string): DomainError => new DomainError('invalid', 'invalid_kubeconfig', message);
const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\./.test(host);

const read = (text: string): z.output<typeof kubeconfigSchema> => {
  if (text.length > MAX_KUBECONFIG) throw refuse(`a kubeconfig has at most ${MAX_KUBECONFIG} bytes`);
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 20 });
  } catch {
    throw refuse('the kubeconfig is not YAML'); // the parser's message would quote it
  }
  const parsed = kubeconfigSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `/${issue.path.join('/')}: ${issue.message}`);
  throw refuse(`the kubeconfig cannot be used: ${faults.join('; ').slice(0, 800)}`);
};

/**
 * Opens the way into a cluster. Credentials stay inside what is returned.
 * @throws DomainError `invalid_kubeconfig`
 */
export const clusterAccess = async (text: string): Promise<ClusterAccess> => {
  const file = read(text);
  const context = file.contexts.find(({ name }) => name === file['current-context']);
  const cluster = file.clusters.find(({ name }) => name === context?.context.cluster)?.cluster;
  if (!context || !cluster) throw refuse('its current context names no cluster of the file');
  const user = file.users.find(({ name }) => name === context.context.user)?.user ?? {};
  const server = new URL(cluster.server);
  const plain = server.protocol === 'http:';
  if (plain && !isLoopback(server.hostname)) {
    throw refuse(`${server.origin}: an API server is reached without TLS on the loopback address only`);
  }
  // Hundreds of modules, which no start has to wait for.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: 'cluster',
      server: cluster.server.replace(/\/+$/, ''),
      // The client takes this as its leave to speak plain HTTP.
      skipTLSVerify: plain || cluster['insecure-skip-tls-verify'] === true,
      ...optional('caData', cluster['certificate-authority-data']),
      ...optional('tlsServerName', cluster['tls-server-name']),
    },
    {
      name: 'user',
      ...optional('token', user.token),
      ...optional('certData', user['client-certificate-data']),
      ...optional('keyData', user['client-key-data']),
      ...optional('username', user.username),
      ...optional('password', user.password),
    },
  );
  // The client would open a new connection pool for every call; these are its answers, kept for all calls.
  const options: RequestOptions = {};
  await config.applyToHTTPSOptions(options);
  const { ca, cert, key, rejectUnauthorized, servername } = options;
  const keep = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets: 64, maxFreeSockets: 8 };
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {}))
    headers[name.toLowerCase()] = String(value);
  if (options.auth != null)
    headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return {
    server: cluster.server.replace(/\/+$/, ''),
    headers,
    agent: plain
      ? new HttpAgent(keep)
      : new HttpsAgent({
          ...keep,
          ...optional('ca', ca),
          ...optional('cert', cert),
          ...optional('key', key),
          ...optional('rejectUnauthorized', rejectUnauthorized),
          ...optional('servername', servername),
        }),
  };
};

/** For exactOptionalPropertyTypes: a field that is there only with a value. */
const optional = <K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } =>
  value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
