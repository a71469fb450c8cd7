-- Tenants by wallet: the books that every posting keeps up to date. deposited = free + locked + spent + withdrawn.
CREATE TABLE tenants (
  wallet             text   PRIMARY KEY,
  -- Null until the wallet opens an account: a deposit may come first.
  account_id         text   UNIQUE,
  deposited_micros   bigint NOT NULL DEFAULT 0 CHECK (deposited_micros >= 0),
  free_micros        bigint NOT NULL DEFAULT 0 CHECK (free_micros >= 0),
  locked_micros      bigint NOT NULL DEFAULT 0 CHECK (locked_micros >= 0),
  spent_micros       bigint NOT NULL DEFAULT 0 CHECK (spent_micros >= 0),
  withdrawn_micros   bigint NOT NULL DEFAULT 0 CHECK (withdrawn_micros >= 0),
  -- Version of the event stream escrow/<account_id>.
  stream_version     int    NOT NULL DEFAULT 0,
  -- Counts postings; reconciliation looks at tenants whose count has moved since it last agreed.
  movements          bigint NOT NULL DEFAULT 0,
  agreed_movements   bigint NOT NULL DEFAULT 0,
  CONSTRAINT tenant_books_balance
    CHECK (deposited_micros = free_micros + locked_micros + spent_micros + withdrawn_micros)
);

CREATE TABLE ledger_accounts (
  account_id     text   PRIMARY KEY,
  kind           text   NOT NULL CHECK (kind IN ('escrow', 'free', 'locked', 'earned', 'fees', 'suspense', 'external')),
  normal         text   NOT NULL CHECK (normal IN ('debit', 'credit')),
  tenant         text   REFERENCES tenants (wallet),
  -- In the account's normal direction.
  balance_micros bigint NOT NULL DEFAULT 0 CONSTRAINT ledger_balance_not_negative CHECK (balance_micros >= 0)
);

CREATE TABLE ledger_transfers (
  transfer_id     text   PRIMARY KEY,
  kind            text   NOT NULL CHECK (kind IN ('deposit', 'withdrawal', 'lock', 'payment', 'refund', 'claim')),
  debit_account   text   NOT NULL REFERENCES ledger_accounts (account_id),
  credit_account  text   NOT NULL REFERENCES ledger_accounts (account_id),
  amount_micros   bigint NOT NULL CHECK (amount_micros > 0),
  -- A transfer is undone at most once.
  corrects_id     text   UNIQUE REFERENCES ledger_transfers (transfer_id),
  lease_key       text,
  effective_at_ms bigint NOT NULL,
  posted_at_ms    bigint NOT NULL,
  CHECK (debit_account <> credit_account)
);
CREATE INDEX ledger_transfers_lease ON ledger_transfers (lease_key) WHERE lease_key IS NOT NULL;

CREATE TABLE ledger_entries (
  entry_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  transfer_id     text   NOT NULL REFERENCES ledger_transfers (transfer_id),
  account_id      text   NOT NULL REFERENCES ledger_accounts (account_id),
  side            text   NOT NULL CHECK (side IN ('debit', 'credit')),
  delta_micros    bigint NOT NULL,
  previous_micros bigint NOT NULL,
  new_micros      bigint NOT NULL,
  tenant          text,
  UNIQUE (transfer_id, side),
  CHECK (new_micros = previous_micros + delta_micros)
);
CREATE INDEX ledger_entries_account ON ledger_entries (account_id, entry_id);
CREATE INDEX ledger_entries_tenant ON ledger_entries (tenant, entry_id) WHERE tenant IS NOT NULL;

CREATE INDEX tenants_to_reconcile ON tenants (wallet) WHERE movements <> agreed_movements;

CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only: % on %', TG_OP, TG_TABLE_NAME USING ERRCODE = 'GB102';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfers
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();

-- Transfers that the balances do not bear yet: parts of a reorg that is still being told.
CREATE TABLE ledger_waiting (
  transfer_id text   PRIMARY KEY,
  transfer    jsonb  NOT NULL,
  since_ms    bigint NOT NULL,
  position    bigint GENERATED ALWAYS AS IDENTITY
);

-- Posts a batch in the caller's transaction. Rows are locked in one order everywhere: tenants by wallet after accounts
-- by id. SQLSTATE GB101: a known id with other content. 23514 (check violation): not enough money.
CREATE FUNCTION ledger_post(
  p_ids text[], p_kinds text[], p_debits text[], p_credits text[], p_amounts bigint[],
  p_corrects text[], p_tenants text[], p_lease_keys text[], p_effective bigint[], p_now bigint
) RETURNS TABLE (posted_id text) LANGUAGE plpgsql AS $$
DECLARE
  changed text;
BEGIN
  WITH named AS (
    SELECT unnest(p_debits) AS account_id, unnest(p_tenants) AS tenant
    UNION ALL SELECT unnest(p_credits), unnest(p_tenants)
  ), wallets AS (
    SELECT DISTINCT CASE split_part(account_id, '/', 1) WHEN 'free' THEN split_part(account_id, '/', 2) ELSE tenant END AS wallet
    FROM named WHERE split_part(account_id, '/', 1) IN ('free', 'locked')
  )
  INSERT INTO tenants (wallet)
  SELECT wallet FROM wallets WHERE wallet IS NOT NULL ORDER BY wallet
  ON CONFLICT DO NOTHING;

  WITH named AS (
    SELECT unnest(p_debits) AS account_id, unnest(p_tenants) AS tenant
    UNION ALL SELECT unnest(p_credits), unnest(p_tenants)
  )
  INSERT INTO ledger_accounts (account_id, kind, normal, tenant)
  SELECT account_id, kind, CASE WHEN kind IN ('escrow', 'external') THEN 'debit' ELSE 'credit' END,
         CASE kind WHEN 'free' THEN split_part(account_id, '/', 2) WHEN 'locked' THEN max(tenant) END
  FROM (SELECT account_id, tenant, split_part(account_id, '/', 1) AS kind FROM named) AS n
  GROUP BY account_id, kind ORDER BY account_id
  ON CONFLICT DO NOTHING;

  PERFORM 1 FROM ledger_accounts WHERE account_id = ANY (p_debits || p_credits) ORDER BY account_id FOR UPDATE;
  PERFORM 1 FROM tenants
    WHERE wallet IN (SELECT tenant FROM ledger_accounts WHERE account_id = ANY (p_debits || p_credits))
    ORDER BY wallet FOR UPDATE;

  RETURN QUERY
  WITH input AS (
    SELECT * FROM unnest(p_ids, p_kinds, p_debits, p_credits, p_amounts, p_corrects, p_lease_keys, p_effective)
      WITH ORDINALITY AS t (id, kind, debit, credit, amount, corrects, lease_key, effective, ord)
  ), first_of_each AS (
    SELECT DISTINCT ON (id) * FROM input ORDER BY id, ord
  ), inserted AS (
    INSERT INTO ledger_transfers
      (transfer_id, kind, debit_account, credit_account, amount_micros, corrects_id, lease_key, effective_at_ms, posted_at_ms)
    SELECT id, kind, debit, credit, amount, corrects, lease_key, effective, p_now FROM first_of_each ORDER BY id
    ON CONFLICT (transfer_id) DO NOTHING
    RETURNING transfer_id
  ), legs AS (
    SELECT f.ord, 0 AS leg, f.id, f.kind, f.debit AS account_id, 'debit' AS side, f.amount
    FROM first_of_each f JOIN inserted i ON i.transfer_id = f.id
    UNION ALL
    SELECT f.ord, 1, f.id, f.kind, f.credit, 'credit', f.amount
    FROM first_of_each f JOIN inserted i ON i.transfer_id = f.id
  ), moves AS (
    SELECT l.ord, l.leg, l.id, l.kind, l.account_id, l.side, a.kind AS account_kind, a.tenant, a.balance_micros AS base,
           CASE WHEN a.normal = l.side THEN l.amount ELSE -l.amount END AS delta
    FROM legs l JOIN ledger_accounts a USING (account_id)
  ), running AS (
    SELECT m.*, base + sum(delta) OVER (PARTITION BY account_id ORDER BY ord, leg)::bigint AS after FROM moves m
  ), written AS (
    INSERT INTO ledger_entries (transfer_id, account_id, side, delta_micros, previous_micros, new_micros, tenant)
    SELECT id, account_id, side, delta, after - delta, after, tenant FROM running ORDER BY ord, leg
  ), balances AS (
    UPDATE ledger_accounts a SET balance_micros = a.balance_micros + d.delta
    FROM (SELECT account_id, sum(delta)::bigint AS delta FROM moves GROUP BY account_id) AS d
    WHERE a.account_id = d.account_id
  ), books AS (
    UPDATE tenants t SET
      deposited_micros = t.deposited_micros + d.deposited,
      withdrawn_micros = t.withdrawn_micros + d.withdrawn,
      spent_micros     = t.spent_micros + d.spent,
      free_micros      = t.free_micros + d.free,
      locked_micros    = t.locked_micros + d.locked,
      movements        = t.movements + 1
    FROM (
      SELECT tenant,
             coalesce(sum(delta) FILTER (WHERE kind = 'deposit'), 0)::bigint          AS deposited,
             coalesce(-sum(delta) FILTER (WHERE kind = 'withdrawal'), 0)::bigint      AS withdrawn,
             coalesce(-sum(delta) FILTER (WHERE kind = 'payment'), 0)::bigint         AS spent,
             coalesce(sum(delta) FILTER (WHERE account_kind = 'free'), 0)::bigint     AS free,
             coalesce(sum(delta) FILTER (WHERE account_kind = 'locked'), 0)::bigint   AS locked
      FROM moves WHERE tenant IS NOT NULL GROUP BY tenant
    ) AS d
    WHERE t.wallet = d.tenant
  )
  SELECT transfer_id FROM inserted;

  -- After the insert, so that a batch that was committed meanwhile is seen too.
  SELECT t.transfer_id INTO changed
  FROM unnest(p_ids, p_kinds, p_debits, p_credits, p_amounts, p_corrects, p_lease_keys, p_effective)
    AS i (id, kind, debit, credit, amount, corrects, lease_key, effective)
  JOIN ledger_transfers t ON t.transfer_id = i.id
  WHERE (t.kind, t.debit_account, t.credit_account, t.amount_micros, t.effective_at_ms)
          IS DISTINCT FROM (i.kind, i.debit, i.credit, i.amount, i.effective)
     OR t.corrects_id IS DISTINCT FROM i.corrects
     OR t.lease_key IS DISTINCT FROM i.lease_key
  LIMIT 1;
  IF changed IS NOT NULL THEN
    RAISE EXCEPTION 'transfer % is on record with other content', changed USING ERRCODE = 'GB101';
  END IF;
END $$;
