/** What the catalogues of Postgres say of some tables: $1 is their schema, $2 their names. */

export type Definition = { readonly table: string; readonly name: string; readonly definition: string };

const TABLES = `
  SELECT c.oid, c.relname, c.relkind, c.relacl FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = ANY ($2)`;

/** Checks and NOT NULLs come with LIKE. Keys before foreign keys, which need them. */
export const CONSTRAINTS = `
  SELECT t.relname AS "table", k.conname AS name, pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k JOIN (${TABLES}) AS t ON t.oid = k.conrelid
  WHERE k.contype IN ('p', 'u', 'x', 'f')
  ORDER BY k.contype = 'f', t.relname, k.conname`;

const OF_NO_CONSTRAINT = `
  NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))`;

export const INDEXES = `
  SELECT t.relname AS "table", c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition
  FROM pg_index i JOIN (${TABLES}) AS t ON t.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid
  WHERE ${OF_NO_CONSTRAINT}
  ORDER BY t.relname, c.relname`;

/** With %TABLE% in the place of the name. The owner has all rights without being told so. */
export const GRANTS = `
  SELECT t.relname AS "table", a.privilege_type AS name,
         format('GRANT %s ON %%TABLE%% TO %s%s', a.privilege_type,
                CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
                CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS definition
  FROM (${TABLES}) AS t, aclexplode(t.relacl) AS a
  ORDER BY 1, 3`;

export const FOREIGN_KEYS_FROM_OUTSIDE = `
  SELECT k.conrelid::regclass::text AS "table", k.conname AS name, pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k JOIN (${TABLES}) AS t ON t.oid = k.confrelid
  WHERE k.contype = 'f' AND k.conrelid NOT IN (SELECT oid FROM (${TABLES}) AS inside)
  ORDER BY 1, 2`;

/** One line for each part of each table; the schema's own name is left out. */
export const SHAPE = `
  SELECT string_agg(line, E'\\n' ORDER BY line COLLATE "C") AS shape FROM (
    SELECT format('%s column %s %s %s not null %s identity %s generated %s default %s collation %s', t.relname,
                  row_number() OVER (PARTITION BY t.oid ORDER BY a.attnum), a.attname,
                  format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                  pg_get_expr(d.adbin, d.adrelid), a.attcollation) AS line
    FROM (${TABLES}) AS t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
    UNION ALL
    SELECT format('%s constraint %s %s', t.relname, k.conname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN (${TABLES}) AS t ON t.oid = k.conrelid
    UNION ALL
    SELECT format('%s index %s', t.relname, replace(pg_get_indexdef(i.indexrelid), ' ON ' || $1 || '.', ' ON '))
    FROM pg_index i JOIN (${TABLES}) AS t ON t.oid = i.indrelid
  ) AS parts`;

/** Why tables cannot be exchanged for copies. */
export const UNFIT = `
  WITH inside AS (${TABLES})
  SELECT format('there is no table %s', wanted) AS reason
  FROM unnest($2::text[]) AS wanted WHERE wanted NOT IN (SELECT relname FROM inside)
  UNION ALL
  SELECT format('%s is no ordinary table', relname) FROM inside WHERE relkind <> 'r'
  UNION ALL
  SELECT format('%s has the trigger %s', t.relname, g.tgname)
  FROM inside t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
  UNION ALL
  SELECT format('%s.%s counts by a sequence of another table: make it an identity', t.relname, a.attname)
  FROM inside t JOIN pg_attrdef d ON d.adrelid = t.oid
  JOIN pg_attribute a ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
  WHERE pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%'
  UNION ALL
  SELECT DISTINCT format('the view %s reads %s', r.ev_class::regclass, t.relname)
  FROM inside t JOIN pg_depend p ON p.refobjid = t.oid AND p.classid = 'pg_rewrite'::regclass
  JOIN pg_rewrite r ON r.oid = p.objid`;
