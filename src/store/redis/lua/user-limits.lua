-- Limits on users. Requires records.lua.

-- A list of channels is made again after this time, in milliseconds, in case that servers of an older version, which do
-- not keep it, or lost keys have made it wrong. The clock of Redis may jump: that makes it again earlier or later.
local JOINED_TTL = 3600000

-- Lists the channels that the user is in with any connection, unless they are listed. `join` and `leave` keep the list.
-- Returns its key.
local function list_joined(user)
  local key, seen = P .. ':j:' .. user, {}
  if redis.call('EXISTS', key) == 1 then return key end
  for _, conn_id in ipairs(redis.call('HKEYS', P .. ':v:' .. user)) do
    for _, name in ipairs(channels_of(P .. ':n:' .. conn_id)) do
      if not seen[name] then redis.call('SADD', key, name) end
      seen[name] = true
    end
  end
  redis.call('PEXPIRE', key, JOINED_TTL)
  return key
end

-- Removes channels from the list that the user is not in.
local function correct_joined(user, key)
  for _, name in ipairs(redis.call('SMEMBERS', key)) do
    if redis.call('HEXISTS', P .. ':m:' .. name, user) == 0 then redis.call('SREM', key, name) end
  end
end

-- Whether the user would be in more than `max` channels after joining these (0: no limit), with all connections
-- together.
local function exceeds_channels(user, channels, max)
  if max == 0 then return false end
  local added = 0
  for _, requested in ipairs(channels) do
    if redis.call('HEXISTS', P .. ':m:' .. requested[1], user) == 0 then added = added + 1 end
  end
  if added == 0 then return false end
  local key = list_joined(user)
  if redis.call('SCARD', key) + added <= max then return false end
  correct_joined(user, key)
  return redis.call('SCARD', key) + added > max
end
