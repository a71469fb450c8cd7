export type KafkaTls = {
  /** PEM: the certificate of the server, with its chain. */
  readonly certificate: string;
  /** PEM, PKCS #8, without a password. */
  readonly key: string;
};

export type KafkaUser = {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly username: string;
  readonly password: string;
};

export type ServerAddresses = {
  /** What clients use. */
  readonly port: number;
  /** The broker speaks to itself on a listener without encryption, so that it needs no credentials of its own. */
  readonly internalPort: number;
  readonly controllerPort: number;
};

const jaas = (module: string, options: string): string =>
  `org.apache.kafka.common.security.${module} required ${options};`;

const saslOf = (users: readonly KafkaUser[]): Record<string, string> => {
  const mechanisms = [...new Set(users.map((user) => user.mechanism))];
  const plain = users
    .filter((user) => user.mechanism === 'PLAIN')
    .map((user) => `user_${user.username}="${user.password}"`);
  const properties: Record<string, string> = {
    'listener.name.client.sasl.enabled.mechanisms': mechanisms.join(),
  };
  for (const mechanism of mechanisms) {
    properties[`listener.name.client.${mechanism.toLowerCase()}.sasl.jaas.config`] =
      mechanism === 'PLAIN'
        ? jaas('plain.PlainLoginModule', plain.join(' '))
        : jaas('scram.ScramLoginModule', '');
  }
  return properties;
};

/**
 * One node that is broker and controller, small and quick: groups form at once, a killed broker is let back in after two
 * seconds (nine by default), and the log cleaner fits into a small heap (its default buffer is 128 MiB).
 */
export const serverProperties = (
  dataFolder: string,
  addresses: ServerAddresses,
  options: {
    readonly tlsFile?: string;
    readonly users: readonly KafkaUser[];
    readonly more: Readonly<Record<string, string>>;
  },
): string => {
  const { port, internalPort, controllerPort } = addresses;
  const tls = options.tlsFile !== undefined;
  const protocol = `${options.users.length > 0 ? 'SASL_' : ''}${tls ? 'SSL' : 'PLAINTEXT'}`;
  const properties: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `CLIENT://127.0.0.1:${port},INTERNAL://127.0.0.1:${internalPort},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${port},INTERNAL://127.0.0.1:${internalPort}`,
    'listener.security.protocol.map': `CLIENT:${protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': dataFolder,
    'auto.create.topics.enable': false,
    'num.partitions': 1,
    'default.replication.factor': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    'broker.session.timeout.ms': 2_000,
    'broker.heartbeat.interval.ms': 500,
    'num.network.threads': 2,
    'num.io.threads': 4,
    'log.cleaner.threads': 1,
    'log.cleaner.dedupe.buffer.size': 2 * 1_024 * 1_024,
    'log.segment.bytes': 64 * 1_024 * 1_024,
    ...(tls
      ? {
          'listener.name.client.ssl.keystore.type': 'PEM',
          'listener.name.client.ssl.keystore.location': options.tlsFile,
        }
      : {}),
    ...(options.users.length > 0 ? saslOf(options.users) : {}),
    ...options.more,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
};

/** How `StorageTool format` is told of the users: only SCRAM credentials are kept in the metadata. */
export const scramArguments = (users: readonly KafkaUser[]): string[] =>
  users
    .filter((user) => user.mechanism !== 'PLAIN')
    .flatMap(({ mechanism, username, password }) => [
      '--add-scram',
      `${mechanism}=[name=${username},password=${password}]`,
    ]);
