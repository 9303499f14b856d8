-- Returns connections that are due, and claims them for a moment. Removes idle users and channels, what is older than
-- its channel keeps it, and releases connections of a dead server. Handles at most `most` of each, and returns whether there is more.
local orphan_wait, most = tonumber(arg()), tonumber(arg())
local last_beat, steady_since = tonumber(arg()), tonumber(arg())
local more = 0
-- Old messages that are removed.
local AGED_AT_ONCE = 1000

local function due_in(key)
  local found = redis.call('ZRANGE', key, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)
  if #found == most then more = 1 end
  return found
end

local function forget(frames, lost)
  local newest = redis.call('LINDEX', frames, -1)
  local through = math.max(newest and number_of(newest) or 0, tonumber(lost or 0))
  if through > tonumber(redis.call('HGET', P, 'forgotten') or 0) then
    redis.call('HSET', P, 'forgotten', through)
  end
  redis.call('DEL', frames)
end

for _, once in ipairs(due_in(P .. ':once')) do
  redis.call('DEL', P .. ':o:' .. once)
  redis.call('ZREM', P .. ':once', once)
end
if forget_answers(most) == most then more = 1 end
redis.call('ZREMRANGEBYSCORE', SESSIONS, '-inf', now)

if settle_lost(most) then more = 1 end

local left = AGED_AT_ONCE
for _, name in ipairs(due_in(P .. ':aging')) do
  local removed, is_more = age_channel(name, left)
  left = left - removed
  if is_more or left < 1 then more = 1 end
  if left < 1 then break end
end

local connections = due_in(P .. ':due')
for _, conn_id in ipairs(connections) do redis.call('ZADD', P .. ':due', now + RETRY, conn_id) end

for _, name in ipairs(due_in(P .. ':idle:u')) do
  local user = P .. ':u:' .. name
  forget(P .. ':g:' .. name, redis.call('HGET', user, 'l'))
  redis.call('DEL', user, P .. ':v:' .. name)
  redis.call('HDEL', P .. ':users', name)
  redis.call('ZREM', P .. ':idle:u', name)
end

for _, name in ipairs(due_in(P .. ':idle:c')) do
  local key = P .. ':c:' .. name
  forget(P .. ':f:' .. name, redis.call('HGET', key, 'l'))
  tell_channel('channel_collected', name)
  redis.call('UNLINK', key, P .. ':h:' .. name, P .. ':l:' .. name, P .. ':i:' .. name, P .. ':m:' .. name, P .. ':x:' .. name)
  redis.call('ZREM', P .. ':aging', name)
  redis.call('ZREM', P .. ':channels', name)
  redis.call('ZREM', P .. ':idle:c', name)
  if redis.call('SREM', P .. ':notify', name) == 1 and redis.call('HEXISTS', P, 'notifying') == 1 then
    redis.call('HINCRBY', P, 'notifying', -1)
  end
end

-- After an outage of Redis all leases have run out. So only a server that has renewed its own lease without
-- interruption, for the length of a lease, may declare another server dead.
local is_steady = now - last_beat < MAX_BEAT_GAP and now - steady_since >= LEASE
if is_steady then
  for _, dead in ipairs(redis.call('ZRANGE', P .. ':servers', '-inf', '(' .. now, 'BYSCORE')) do
    redis.call('ZREM', P .. ':servers', dead)
    redis.call('SADD', P .. ':graves', dead)
  end
end
local dead_server = redis.call('SRANDMEMBER', P .. ':graves')
if dead_server then
  local left = redis.call('SPOP', P .. ':at:' .. dead_server, most)
  for _, conn_id in ipairs(left) do
    local conn = P .. ':n:' .. conn_id
    if redis.call('HGET', conn, 's') == dead_server then
      redis.call('HDEL', conn, 's', 'k', 'w')
      redis.call('ZADD', P .. ':due', now + orphan_wait, conn_id)
    end
  end
  if #left < most then redis.call('SREM', P .. ':graves', dead_server) end
  more = 1
end
return {connections, more}
