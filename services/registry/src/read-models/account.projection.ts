import { saveAccount, saveApiKey, saveApiKeyRevocation } from '@gridbourse/api';
import type { EntityManager } from 'typeorm';
import type { RegistryAccountEvent } from '../domain/private-events.ts';

/**
 * Accounts and API keys, in the tables that every other service fills from the bus: here they are up to date when the
 * command returns, so a fresh key works at once. The replica hears the same events later and changes nothing.
 */
export const projectAccount = async (
  manager: EntityManager,
  events: readonly RegistryAccountEvent[],
): Promise<void> => {
  for (const event of events) {
    switch (event.type) {
      case 'AccountOpened':
        await saveAccount(manager, event);
        break;
      case 'ApiKeyIssued':
        await saveApiKey(manager, event);
        await manager.query(
          'INSERT INTO api_key_details (api_key_id, account_id, issued_at_ms) VALUES ($1, $2, $3)',
          [event.apiKeyId, event.accountId, event.issuedAtMs],
        );
        break;
      case 'ApiKeyNamed':
        await manager.query('UPDATE api_key_details SET name = $2 WHERE api_key_id = $1', [
          event.apiKeyId,
          event.name,
        ]);
        break;
      case 'ApiKeyRevoked':
        await saveApiKeyRevocation(manager, event);
        break;
    }
  }
};
