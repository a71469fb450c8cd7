import { account, type AccountCommand, type AccountState } from '../domain/account.ts';
import type { RegistryAccountEvent, RegistryProviderEvent } from '../domain/private-events.ts';
import type { ProviderState } from '../domain/provider-state.ts';
import { provider, type ProviderCommand } from '../domain/provider.ts';
import { projectAccount } from '../read-models/account.projection.ts';
import { projectProvider } from '../read-models/provider.projection.ts';
import type { Aggregate } from './aggregates.ts';

/** The stream of an account is its id, and so is the stream of a provider. */
export const accounts: Aggregate<AccountCommand, AccountState, RegistryAccountEvent> = {
  decider: account,
  project: projectAccount,
};

export const providers: Aggregate<ProviderCommand, ProviderState, RegistryProviderEvent> = {
  decider: provider,
  project: projectProvider,
};
