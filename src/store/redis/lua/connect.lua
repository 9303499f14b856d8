-- Creates or updates a user, creates a connection or keeps the one with that id, and joins channels.

-- Servers with clients of a user that was lost continue to listen to it.
local function listen_again(name)
  for _, known in ipairs(redis.call('HKEYS', P .. ':v:' .. name)) do
    local server = redis.call('HGET', P .. ':n:' .. known, 's')
    if server then redis.call('HSET', P .. ':u:' .. name, '@' .. server, '') end
  end
end

local conn_id, name, wait, public_keys, uuid = arg(), arg(), tonumber(arg()), arg(), arg()
local max_connections, max_channels = tonumber(arg()), tonumber(arg())
local fresh, given, channels = list(), list(), requested_channels()
local conn, user = P .. ':n:' .. conn_id, P .. ':u:' .. name

local owner = redis.call('HGET', conn, 'u')
if owner and owner ~= name then return {'taken'} end

local is_known = redis.call('HEXISTS', user, 'i') == 1
local state = is_known and state_of(redis.call('HGETALL', user)) or {}
local first = is_known and {} or merge_state(state, fresh)
local changed = merge_state(state, given)
if is_too_large(state) then return {'state-too-large'} end
if not owner and max_connections > 0 and tonumber(redis.call('HGET', P .. ':users', name) or 0) >= max_connections then
  return {'too-many-connections'}
end
if exceeds_channels(name, channels, max_channels) then return {'too-many-channels'} end

-- The connection was to be ended because of lost data. This request brings the data again.
if owner then redis.call('HDEL', conn, 'z') end

if not is_known then
  local was_lost = is_lost('u', name)
  redis.call('HSET', user, 'i', uuid, 'l', was_lost and head() or redis.call('HGET', P, 'forgotten') or 0)
  if was_lost then listen_again(name) end
end
redis.call('HSET', user, 'k', public_keys)
write_state(user, first)
write_state(user, changed)

if not owner then
  redis.call('HSET', conn, 'u', name, 'c', head())
  redis.call('HSET', P .. ':v:' .. name, conn_id, '')
  redis.call('HINCRBY', P, 'connections', 1)
  if redis.call('HINCRBY', P .. ':users', name, 1) == 1 then
    redis.call('HINCRBY', P, 'connected', 1)
    redis.call('ZREM', P .. ':idle:u', name)
    tell_user('user_online', name)
  end
end
if not redis.call('HGET', conn, 's') then redis.call('ZADD', P .. ':due', now + wait, conn_id) end
announce_presence(name, join(conn_id, conn, name, channels), 'joined')
return {'connected', user_record(name)}
