-- Checks a few keys, from where the last check ended, and repairs those that contradict others. Redis may have evicted
-- keys, and other scripts notice only losses that they come across. Each rule is an invariant that all scripts keep.
-- Returns the number of repairs, and 1 if there is more to do at once. Returns nil if Redis does not allow SCAN.
local most, orphan_wait, is_urgent = tonumber(arg()), tonumber(arg()), arg() == '1'
-- Number of members that are checked in a large set.
local SAMPLE = 200
-- Milliseconds between two checks, by whichever server, unless something is wrong.
local PACE = 400

-- Where and when the last check ended, the number of urgent rounds left, and the current round.
local state = redis.call('HMGET', P, 'looked', 'lookedAt', 'urgent', 'round')
local urgent = is_urgent and 2 or tonumber(state[3] or 0)
if urgent < 1 and now - tonumber(state[2] or 0) < PACE then return {0, 0} end

local repairs, has_doubts = 0, false
local function repaired()
  repairs = repairs + 1
end

local function ensure(command, key, ...)
  if redis.call(command, key, ...) > 0 then repaired() end
end

-- Splits what follows P in a key into kind and name.
local function split_key(key)
  local rest = string.sub(key, #P + 2)
  local colon = string.find(rest, ':', 1, true)
  if colon then return string.sub(rest, 1, colon - 1), string.sub(rest, colon + 1) end
end

local function is_server(name)
  return redis.call('ZSCORE', P .. ':servers', name) or redis.call('SISMEMBER', P .. ':graves', name) == 1
end

local function has_channel(name)
  return redis.call('HEXISTS', P .. ':c:' .. name, 's') == 1
end

local function is_missing_user(name)
  return redis.call('HEXISTS', P .. ':u:' .. name, 'i') == 0
end

local function count_of(user)
  return tonumber(redis.call('HGET', P .. ':users', user) or 0)
end

-- Whether the list of a user's connections is complete. The count in `users` is kept separately, and confirms it.
local function are_all_listed(user)
  return redis.call('HLEN', P .. ':v:' .. user) == count_of(user)
end

local function count_in(user, name)
  local count = 0
  for _, conn_id in ipairs(redis.call('HKEYS', P .. ':v:' .. user)) do
    count = count + redis.call('HEXISTS', P .. ':n:' .. conn_id, '#' .. name)
  end
  return count
end

local function set_count(user, count)
  local before = count_of(user)
  redis.call('HSET', P .. ':users', user, count)
  if before > 0 and count == 0 then tell_user('user_offline', user) end
  if count > 0 then redis.call('ZREM', P .. ':idle:u', user)
  else redis.call('ZADD', P .. ':idle:u', now + GC_USERS, user) end
  repaired()
end

local audit = {}

function audit.n(conn_id)
  local conn = P .. ':n:' .. conn_id
  local facts = redis.call('HMGET', conn, 'u', 's')
  local user, server = facts[1], facts[2]
  if not user then return end
  ensure('HSET', P .. ':v:' .. user, conn_id, '')
  if count_of(user) < redis.call('HLEN', P .. ':v:' .. user) then
    set_count(user, redis.call('HLEN', P .. ':v:' .. user))
  end
  if is_missing_user(user) then note_lost('u', user) end
  if server then
    if not is_server(server) then ensure('SADD', P .. ':graves', server) end
    ensure('SADD', P .. ':at:' .. server, conn_id)
  elseif not redis.call('ZSCORE', P .. ':due', conn_id) then
    ensure('ZADD', P .. ':due', now + orphan_wait, conn_id)
  end
  for _, name in ipairs(channels_of(conn)) do
    if not has_channel(name) then
      redis.call('HSETNX', P .. ':m:' .. name, user, 1)
      note_lost('c', name)
    elseif redis.call('HEXISTS', P .. ':m:' .. name, user) == 0 then
      redis.call('HSET', P .. ':m:' .. name, user, count_in(user, name))
      repaired()
    end
  end
end

function audit.v(user)
  local key = P .. ':v:' .. user
  local conns = redis.call('HLEN', key) > SAMPLE and redis.call('HRANDFIELD', key, SAMPLE) or redis.call('HKEYS', key)
  for _, conn_id in ipairs(conns) do
    if redis.call('HGET', P .. ':n:' .. conn_id, 'u') ~= user then
      redis.call('HDEL', key, conn_id)
      redis.call('ZREM', P .. ':due', conn_id)
      set_count(user, math.max(count_of(user) - 1, 0))
    end
  end
  if count_of(user) < redis.call('HLEN', key) then set_count(user, redis.call('HLEN', key)) end
end

function audit.u(user)
  local count = redis.call('HGET', P .. ':users', user)
  if is_missing_user(user) then
    -- A server may listen to a user that does not exist any more.
    if not count and redis.call('EXISTS', P .. ':v:' .. user) == 0 then redis.call('DEL', P .. ':u:' .. user) end
  elseif not count then set_count(user, redis.call('HLEN', P .. ':v:' .. user))
  elseif tonumber(count) < 1 and not redis.call('ZSCORE', P .. ':idle:u', user) then set_count(user, 0)
  elseif tonumber(count) > redis.call('HLEN', P .. ':v:' .. user) then
    -- Connections that exist are listed again by audit.n. Those still missing after a whole round are gone.
    local rounds, round = P .. ':doubts', tonumber(redis.call('HGET', P, 'round') or 0)
    local since = tonumber(redis.call('HGET', rounds, user) or round)
    redis.call('HSETNX', rounds, user, round)
    has_doubts = true
    if round > since + 1 then set_count(user, redis.call('HLEN', P .. ':v:' .. user)) end
  end
end

function audit.c(name)
  local key = P .. ':c:' .. name
  local facts = redis.call('HMGET', key, 's', 'o', 'n')
  if not facts[1] then return note_lost('c', name) end
  ensure('ZADD', P .. ':channels', 'NX', facts[2], name)
  if has(facts[1], 's') then ensure('SADD', P .. ':notify', name) end
  local count = tonumber(facts[3])
  -- Adding up a large hash would block Redis.
  if urgent > 0 or redis.call('HLEN', P .. ':m:' .. name) <= 10 * SAMPLE then count = connections_in(name) end
  if tonumber(facts[3]) ~= count then
    redis.call('HSET', key, 'n', count)
    repaired()
  end
  if count > 0 then redis.call('ZREM', P .. ':idle:c', name)
  else ensure('ZADD', P .. ':idle:c', 'NX', now + GC_CHANNELS, name) end
  if redis.call('EXISTS', P .. ':f:' .. name) == 1 then redis.call('HSETNX', key, 'f', 1) end
  if ttl_of(facts[1]) > 0 and redis.call('EXISTS', P .. ':f:' .. name, P .. ':h:' .. name, P .. ':l:' .. name) > 0 then
    ensure('ZADD', P .. ':aging', 'NX', now, name)
  end
end

function audit.m(name)
  local key = P .. ':m:' .. name
  if not has_channel(name) then return note_lost('c', name) end
  local users = redis.call('HLEN', key) > SAMPLE and redis.call('HRANDFIELD', key, SAMPLE) or redis.call('HKEYS', key)
  for _, user in ipairs(users) do
    if are_all_listed(user) then
      local counted, count = tonumber(redis.call('HGET', key, user)), count_in(user, name)
      if count < 1 then
        redis.call('HDEL', key, user)
        tell_member('parted', name, user)
        redis.call('HINCRBY', P .. ':c:' .. name, 'n', -counted)
        touch_channel(name)
        announce_presence(user, {{name, redis.call('HGET', P .. ':c:' .. name, 's'), true}}, 'parted')
        repaired()
      elseif count ~= counted then
        redis.call('HSET', key, user, count)
        repaired()
      end
    end
  end
end

-- For data of a channel: the channel itself may be lost.
local function check_channel_exists(name)
  if not has_channel(name) then note_lost('c', name) end
end
audit.f, audit.h = check_channel_exists, check_channel_exists
audit.i, audit.x = check_channel_exists, check_channel_exists

function audit.l(name)
  check_channel_exists(name)
  local settings = redis.call('HGET', P .. ':c:' .. name, 's')
  -- A server of an older version has cut the history.
  if settings and size_of(settings) <= LONG_HISTORY then
    redis.call('UNLINK', P .. ':l:' .. name, P .. ':i:' .. name)
    repaired()
  end
end

function audit.g(user)
  if not is_missing_user(user) then redis.call('HSETNX', P .. ':u:' .. user, 'f', 1)
  elseif not redis.call('HGET', P .. ':users', user) then redis.call('DEL', P .. ':g:' .. user) end
end

function audit.at(server)
  local key = P .. ':at:' .. server
  if not is_server(server) then ensure('SADD', P .. ':graves', server) end
  local conns = redis.call('SCARD', key) > SAMPLE and redis.call('SRANDMEMBER', key, SAMPLE) or redis.call('SMEMBERS', key)
  for _, conn_id in ipairs(conns) do
    local facts = redis.call('HMGET', P .. ':n:' .. conn_id, 'u', 's')
    if facts[2] ~= server then redis.call('SREM', key, conn_id) end
    if not facts[1] then
      notify_server(server, 'dropped', conn_id, head_text(), '[]')
      repaired()
    end
  end
end

function audit.o(once)
  ensure('ZADD', P .. ':once', 'NX', now + ONCE, once)
end

-- Removes names that are left only in the lists of all users and channels: everything else about them was lost.
local function check_names()
  for _, user in ipairs(redis.call('HRANDFIELD', P .. ':users', SAMPLE)) do
    if is_missing_user(user) and redis.call('EXISTS', P .. ':v:' .. user) == 0 then
      redis.call('HDEL', P .. ':users', user)
      redis.call('ZREM', P .. ':idle:u', user)
      repaired()
    end
  end
  for _, name in ipairs(redis.call('ZRANDMEMBER', P .. ':channels', SAMPLE)) do
    if not has_channel(name) then note_lost('c', name) end
  end
end

-- Ends a round. Totals cannot be repaired key by key, so they are counted again, if there was anything to repair.
local function end_round(round)
  redis.call('HSET', P, 'round', round + 1, 'notifying', redis.call('SCARD', P .. ':notify'))
  if round % 4 == 0 then redis.call('DEL', P .. ':doubts') end
  if redis.call('HINCRBY', P, 'urgent', -1) < 0 then
    redis.call('HSET', P, 'urgent', 0)
    return
  end
  count_connections()
end

local pattern = string.gsub(P, '[%*%?%[%]\\^]', '\\%0') .. ':*'
local page = redis.pcall('SCAN', state[1] or '0', 'MATCH', pattern, 'COUNT', most)
if page.err then return false end
for _, key in ipairs(page[2]) do
  local kind, name = split_key(key)
  if kind and audit[kind] then audit[kind](name) end
end
if page[1] == '0' then check_names() end
-- The next rounds settle doubts.
if repairs > 0 or has_doubts then urgent = 2 end
redis.call('HSET', P, 'looked', page[1], 'lookedAt', now, 'urgent', urgent)
if page[1] == '0' then end_round(tonumber(state[4] or 0)) end
return {repairs, tonumber(redis.call('HGET', P, 'urgent')) > 0 and 1 or 0}
