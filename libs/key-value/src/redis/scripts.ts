import { createHash } from 'node:crypto';

/**
 * Each script is atomic: Redis runs nothing else meanwhile. Time is the server's own. Numbers of more than 14 digits are
 * written with a format, because Lua would round them.
 */
export type Script = { readonly source: string; readonly sha: string };

const script = (source: string): Script => ({
  source,
  sha: createHash('sha1').update(source).digest('hex'),
});

const NOW_US = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]`;

/**
 * gcra.ts, step by step. KEYS: the budget. ARGV: what the cost adds to the debt, the capacity; microseconds.
 * Gives whether it was allowed, and the debt afterwards.
 */
export const SPEND = script(`${NOW_US}
local added, capacity = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = redis.call('GET', KEYS[1])
local debt = 0
if full_at then debt = math.min(math.max(tonumber(full_at) - now, 0), capacity) end
if debt + added > capacity then return {0, debt} end
debt = debt + added
redis.call('SET', KEYS[1], string.format('%.0f', now + debt), 'PX', math.ceil(debt / 1000))
return {1, debt}`);

/**
 * KEYS: entries. ARGV: time to live, then instant and value of each entry. An entry is its instant in 15 digits, so that
 * only these are read, and its value.
 */
export const PUT_LATEST = script(`
local kept = {}
for i, key in ipairs(KEYS) do
  local at = ARGV[2 * i]
  local known = redis.call('GETRANGE', key, 0, 14)
  if known == '' or at > known then
    redis.call('SET', key, at .. ARGV[2 * i + 1], 'PX', ARGV[1])
    kept[i] = 1
  else
    kept[i] = 0
  end
end
return kept`);

/**
 * KEYS: the lock, the last token. ARGV: time to live. The token is the server's time, or one more than the last where
 * that is larger: it grows while the data is kept whatever the clock does, and after a loss of the data as long as the
 * clock was not set back.
 */
export const ACQUIRE = script(`${NOW_US}
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local last = redis.call('GET', KEYS[2])
local token = string.format('%.0f', math.max(now, (last and tonumber(last) or 0) + 1))
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], token, 'PX', ARGV[1])
return token`);

/** KEYS: the lock. ARGV: the token, the new time to live. */
export const EXTEND = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`);

/** KEYS: the lock. ARGV: the token. */
export const RELEASE = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`);
