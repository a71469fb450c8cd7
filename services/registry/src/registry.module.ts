import { Module } from '@nestjs/common';
import { SigningKeys } from './adapters/signing-keys.ts';
import { Aggregates } from './aggregates/aggregates.ts';
import { AccountsController } from './features/accounts/accounts.controller.ts';
import { ApiKeysController } from './features/accounts/api-keys.controller.ts';
import { ApiKeys } from './features/accounts/api-keys.service.ts';
import { AgentHub } from './features/agents/agent-hub.ts';
import { AgentsController } from './features/agents/agents.controller.ts';
import { ChallengeLog } from './features/agents/challenge-log.ts';
import { Challenges } from './features/agents/challenges.service.ts';
import { Sightings } from './features/agents/sightings.ts';
import { SilenceWatch } from './features/agents/silence-watch.ts';
import { TelemetryMetrics } from './features/agents/telemetry-metrics.ts';
import { EraCloser } from './features/eras/era-closer.ts';
import { OffersController } from './features/offers/offers.controller.ts';
import { Offers } from './features/offers/offers.service.ts';
import { Clusters } from './features/providers/cluster.service.ts';
import { ProviderDirectory } from './features/providers/provider-directory.ts';
import { ProviderRegistration } from './features/providers/provider-registration.service.ts';
import { ProvidersController } from './features/providers/providers.controller.ts';
import { AccessTokens } from './features/sign-in/access-tokens.ts';
import { KeySetController } from './features/sign-in/key-set.controller.ts';
import { Nonces } from './features/sign-in/nonces.ts';
import { RefreshTokens } from './features/sign-in/refresh-tokens.ts';
import { SignInController } from './features/sign-in/sign-in.controller.ts';
import { SignIn } from './features/sign-in/sign-in.service.ts';
import { StakeConsumer } from './features/stake/stake.consumer.ts';

/** Where the parts of the registry are put together. */
@Module({
  controllers: [
    SignInController,
    KeySetController,
    AccountsController,
    ApiKeysController,
    ProvidersController,
    OffersController,
    AgentsController,
    StakeConsumer,
  ],
  providers: [
    Aggregates,
    SigningKeys,
    Nonces,
    AccessTokens,
    RefreshTokens,
    SignIn,
    ApiKeys,
    ProviderDirectory,
    ProviderRegistration,
    Clusters,
    Offers,
    TelemetryMetrics,
    Sightings,
    AgentHub,
    ChallengeLog,
    SilenceWatch,
    Challenges,
    EraCloser,
  ],
})
export class RegistryModule {}
