import { CLOCK, LOGGER, Public, SERVICE_CONFIG } from '@gridbourse/api';
import type { Clock } from '@gridbourse/kernel';
import type { Logger } from '@gridbourse/observability';
import { registryV1 } from '@gridbourse/proto';
import { Controller, Inject } from '@nestjs/common';
import { Observable } from 'rxjs';
import type { RegistryConfig } from '../../registry.config.ts';
import type { AgentConnection } from './agent-connection.ts';
import { AgentHub } from './agent-hub.ts';
import { AgentSession, type SessionParts } from './agent-session.ts';
import { Challenges } from './challenges.service.ts';
import { TelemetryMetrics } from './telemetry-metrics.ts';

/** A stream that says nothing for so long is closed. */
const HELLO_DEADLINE_MS = 10_000;

/** The gRPC stream of provider agents. Public: an agent proves itself by what it signs, not by a token. */
@Public()
@Controller()
@registryV1.AgentServiceControllerMethods()
export class AgentsController implements registryV1.AgentServiceController {
  private readonly parts: SessionParts;

  constructor(
    private readonly hub: AgentHub,
    challenges: Challenges,
    metrics: TelemetryMetrics,
    @Inject(CLOCK) clock: Clock,
    @Inject(SERVICE_CONFIG) config: RegistryConfig,
    @Inject(LOGGER) logger: Logger,
  ) {
    this.parts = { hub, challenges, metrics, clock, config, logger };
  }

  connect(requests: Observable<registryV1.ConnectRequest>): Observable<registryV1.ConnectResponse> {
    return new Observable((subscriber) => {
      const refused = this.hub.opened();
      if (refused) {
        subscriber.next({
          refusal: { code: refused, message: 'no further stream can be taken now; try again later' },
        });
        subscriber.complete();
        return undefined;
      }
      const connection: AgentConnection = {
        send: (message) => subscriber.next(message),
        end: () => subscriber.complete(),
      };
      const session = new AgentSession(this.parts, connection);
      const helloDeadline = setTimeout(() => session.requireHello(), HELLO_DEADLINE_MS);
      const input = requests.subscribe({
        next: (message) => session.receive(message),
        error: () => subscriber.complete(),
        complete: () => subscriber.complete(),
      });
      return () => {
        clearTimeout(helloDeadline);
        input.unsubscribe();
        session.close();
        this.hub.closed();
      };
    });
  }
}
