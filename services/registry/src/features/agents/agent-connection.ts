import type { registryV1 } from '@gridbourse/proto';

/** Our side of an agent's stream. */
export type AgentConnection = {
  send(message: registryV1.ConnectResponse): void;
  /** Ends the stream in order; what was sent before still arrives. */
  end(): void;
};
