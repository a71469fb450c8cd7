import type { accountOpened, apiKeyIssued, apiKeyRevoked, EventOf } from '@gridbourse/events';
import type { EntityManager } from 'typeorm';

type Fields<D> = Omit<EventOf<D>, 'type'>;

/** Repeatable: the registry writes its own copy in the transaction of the event, and hears the event later. */
export const saveAccount = async (
  manager: EntityManager,
  event: Fields<typeof accountOpened>,
): Promise<void> => {
  await manager.query(
    `INSERT INTO accounts (account_id, wallet, name, opened_at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
    [event.accountId, event.wallet, event.name, event.openedAtMs],
  );
};

export const saveApiKey = async (
  manager: EntityManager,
  event: Fields<typeof apiKeyIssued>,
): Promise<void> => {
  await manager.query(
    `INSERT INTO api_keys (api_key_id, account_id, key_hash, scopes, expires_at_ms) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [event.apiKeyId, event.accountId, event.keyHash, event.scopes, event.expiresAtMs],
  );
};

/** The first revocation counts. */
export const saveApiKeyRevocation = async (
  manager: EntityManager,
  event: Fields<typeof apiKeyRevoked>,
): Promise<void> => {
  await manager.query(
    'UPDATE api_keys SET revoked_at_ms = $2 WHERE api_key_id = $1 AND revoked_at_ms IS NULL',
    [event.apiKeyId, event.revokedAtMs],
  );
};
