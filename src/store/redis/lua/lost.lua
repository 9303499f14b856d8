-- Data that Redis evicted although it was needed, because its maxmemory-policy allows it. Connections that relied on it
-- are ended as if they were unknown, and their clients connect again.

-- Ends a connection with the next sweep, even if a client has it open.
local function expire_connection(conn_id)
  local conn = P .. ':n:' .. conn_id
  local server = redis.call('HGET', conn, 's')
  if server then
    redis.call('SREM', P .. ':at:' .. server, conn_id)
    redis.call('HDEL', conn, 's', 'k', 'w')
    notify_server(server, 'dropped', conn_id, head_text(), '[]')
  end
  redis.call('HSET', conn, 'z', 1)
  redis.call('ZADD', P .. ':due', now, conn_id)
end

-- Ends at most `most` of a user's connections that have this field. Returns how many, and whether there may be more.
local function expire_some(user, field, most)
  local expired = 0
  for _, conn_id in ipairs(redis.call('HKEYS', P .. ':v:' .. user)) do
    local facts = redis.call('HMGET', P .. ':n:' .. conn_id, 'u', field, 'z')
    if facts[1] == user and facts[2] and not facts[3] then
      if expired == most then return expired, true end
      expire_connection(conn_id)
      expired = expired + 1
    end
  end
  return expired, false
end

local function expire_user(name, most)
  local _, more = expire_some(name, 'u', most)
  return more
end

local function expire_members(name, most)
  for _, user in ipairs(redis.call('HKEYS', P .. ':m:' .. name)) do
    local expired, more = expire_some(user, '#' .. name, most)
    if more then return true end
    most = most - expired
  end
  return false
end

-- Removes the remains of a channel whose record is lost.
local function clear_channel(name)
  tell_channel('channel_collected', name)
  for _, kind in ipairs({':c:', ':m:', ':h:', ':l:', ':i:', ':f:', ':x:'}) do redis.call('UNLINK', P .. kind .. name) end
  redis.call('ZREM', P .. ':channels', name)
  redis.call('ZREM', P .. ':idle:c', name)
  redis.call('ZREM', P .. ':aging', name)
  redis.call('SREM', P .. ':notify', name)
end

-- Handles some of what was noticed as lost. Returns whether there may be more.
local function settle_lost(most)
  local entry = redis.call('SRANDMEMBER', P .. ':lost')
  if not entry then return false end
  local kind, name, more = string.sub(entry, 1, 1), string.sub(entry, 2), false
  -- It may have been created again meanwhile.
  if kind == 'u' then
    if redis.call('HEXISTS', P .. ':u:' .. name, 'i') == 0 then more = expire_user(name, most) end
  elseif redis.call('HEXISTS', P .. ':c:' .. name, 's') == 0 then
    more = expire_members(name, most)
    if not more then clear_channel(name) end
  end
  if not more then redis.call('SREM', P .. ':lost', entry) end
  return true
end
