-- Removals from a channel by `leave`: a sorted set for each channel, of u:user and n:conn_id. The score is negative
-- while they are out (the oldest removal is nearest to zero). Once they rejoin, it is the number of the newest event at
-- that time: nothing that was announced before is caught up, whichever connection and cursor a client names.

local function floors_key(name)
  return P .. ':x:' .. name
end

local function note_removal(name, who)
  local key, channel = floors_key(name), P .. ':c:' .. name
  redis.call('ZADD', key, -head() - 1, who)
  redis.call('HSETNX', channel, 'x', 1)
  if redis.call('ZCARD', key) <= MAX_REMOVALS then return end
  -- The channel has lost all events that these floors would hide.
  redis.call('ZREMRANGEBYSCORE', key, 0, redis.call('HGET', channel, 'l') or 0)
  local excess = redis.call('ZCARD', key) - MAX_REMOVALS
  if excess < 1 then return end
  local oldest = redis.call('ZRANGE', key, '(0', '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, math.ceil(MAX_REMOVALS / 10))
  if #oldest > 0 then redis.call('ZREM', key, unpack(oldest)) end
end

local function floor_of(key, who)
  local score = tonumber(redis.call('ZSCORE', key, who) or 0)
  if score >= 0 then return score end
  redis.call('ZADD', key, head(), who)
  return head()
end

-- Returns the number of the event after which catch-up may begin.
local function floor_at_joining(name, user, conn_id)
  local key = floors_key(name)
  -- The set is never empty, so Redis has evicted it. Any user may have been removed, so '*' stands for all of them.
  if redis.call('EXISTS', key) == 0 then redis.call('ZADD', key, head(), '*') end
  local of_all = tonumber(redis.call('ZSCORE', key, '*') or 0)
  return math.max(of_all, floor_of(key, 'u:' .. user), floor_of(key, 'n:' .. conn_id))
end
