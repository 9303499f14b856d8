-- Users, channels, members. Requires channel.lua; what creates channels, joins and leaves requires webhooks.lua as well.

-- Also counts the channels with notify_state (`notifying`), so that a reader can see whether the set is complete.
local function note_settings(name, settings)
  local key, before = P .. ':notify', redis.call('SCARD', P .. ':notify')
  local is_added = has(settings, 's')
  if redis.call(is_added and 'SADD' or 'SREM', key, name) == 0 then return end
  local counted = tonumber(redis.call('HGET', P, 'notifying') or before)
  redis.call('HSET', P, 'notifying', counted + (is_added and 1 or -1))
end

local function connections_in(name)
  local sum = 0
  for _, count in ipairs(redis.call('HVALS', P .. ':m:' .. name)) do sum = sum + tonumber(count) end
  return sum
end

-- Returns the settings of a channel, and whether anybody was ever removed from it. Creates it if it does not exist.
local function channel(name, uuid, settings)
  local key = P .. ':c:' .. name
  local known = redis.call('HMGET', key, 's', 'x')
  if known[1] then return known[1], known[2] end
  local made = redis.call('HINCRBY', P, 'made', 1)
  -- A channel that is listed, or has members, was lost, and with it how far back its frames reach.
  local count = connections_in(name)
  local lost = (count > 0 or is_lost('c', name)) and head() or redis.call('HGET', P, 'forgotten') or 0
  redis.call('HSET', key, 'i', uuid, 's', settings, 'a', wall(), 'o', made, 'n', count, 'l', lost)
  redis.call('ZADD', P .. ':channels', made, name)
  if has(settings, 's') then note_settings(name, settings) end
  tell_channel('channel_created', name)
  return settings
end

local function some_members(name, most)
  local users, cursor = {}, '0'
  if most < 1 then return users end
  repeat
    local page = redis.call('HSCAN', P .. ':m:' .. name, cursor, 'COUNT', most)
    cursor = page[1]
    for index = 1, #page[2], 2 do
      if #users < most then users[#users + 1] = page[2][index] end
    end
  until cursor == '0' or #users >= most
  return users
end

-- Returns the name, then the fields of the hash.
local function user_record(name)
  return {name, redis.call('HGETALL', P .. ':u:' .. name)}
end

-- Sorts channels by creation.
local function sort_by_creation(names)
  local made = {}
  for _, name in ipairs(names) do made[name] = tonumber(redis.call('HGET', P .. ':c:' .. name, 'o') or 0) end
  table.sort(names, function(one, other) return made[one] < made[other] end)
  return names
end

-- Returns the user of a connection; nil if the connection or its user does not exist.
local function user_of(conn)
  local user = redis.call('HGET', conn, 'u')
  if not user or redis.call('HEXISTS', P .. ':u:' .. user, 'i') == 1 then return user end
  note_lost('u', user)
end

local function channels_of(conn)
  return fields_marked(conn, '#')
end

-- Returns name and since of each channel.
local function joined_of(conn)
  local joined, fields = {}, redis.call('HGETALL', conn)
  for index = 1, #fields, 2 do
    if string.sub(fields[index], 1, 1) == '#' then
      joined[#joined + 1] = string.sub(fields[index], 2)
      joined[#joined + 1] = fields[index + 1]
    end
  end
  return joined
end

-- Returns how many of these changes `announce_presence` announces.
local function count_presence_events(changes)
  local announced = 0
  for _, change in ipairs(changes) do
    if change[3] and has(change[2], 'p') then announced = announced + 1 end
  end
  return announced
end

-- channels: {name, uuid, settings}, each name once. Returns for each channel that the connection was not in: name,
-- settings, and whether it is the user's first connection there. Requires floors.lua.
local function join(conn_id, conn, user, channels)
  local held = redis.call('HMGET', conn, 's', 'r')
  -- Until a client opens it for the first time, a connection catches up from its cursor in every channel, however late
  -- it joined.
  local since = held[2] and head() or 0
  local changes, names = {}, {}
  -- Only if a limit has needed the list, see user-limits.lua.
  local joined = P .. ':j:' .. user
  local is_listed = redis.call('EXISTS', joined) == 1
  for _, requested in ipairs(channels) do
    local name = requested[1]
    local settings, has_floors = channel(name, requested[2], requested[3])
    if redis.call('HSETNX', conn, '#' .. name, since) == 1 then
      local floor = has_floors and floor_at_joining(name, user, conn_id) or 0
      if floor > since then redis.call('HSET', conn, '#' .. name, floor) end
      if redis.call('HINCRBY', P .. ':c:' .. name, 'n', 1) == 1 then
        redis.call('ZREM', P .. ':idle:c', name)
        tell_channel('channel_occupied', name)
      end
      local is_first = redis.call('HINCRBY', P .. ':m:' .. name, user, 1) == 1
      if is_first then tell_member('joined', name, user) end
      if is_first and is_listed then redis.call('SADD', joined, name) end
      changes[#changes + 1] = {name, settings, is_first}
      names[#names + 1] = name
    end
  end
  -- A user does not get its own presence event: in a channel without frames that would be a gap for no reason.
  local own = held[2] and count_presence_events(changes) or 0
  if own > 0 then
    since = since + own
    for _, name in ipairs(names) do redis.call('HSET', conn, '#' .. name, since) end
  end
  if held[1] and #names > 0 then
    notify_server(held[1], 'joined', conn_id, string.format('%.0f', since), cjson.encode(names))
  end
  return changes, names
end

-- Returns name, settings, and whether it was the user's last connection there; nil for a channel that it is not in.
local function leave(conn, user, name)
  if redis.call('HDEL', conn, '#' .. name) == 0 then return nil end
  local key = P .. ':c:' .. name
  local was_last = redis.call('HINCRBY', P .. ':m:' .. name, user, -1) < 1
  if was_last then
    redis.call('HDEL', P .. ':m:' .. name, user)
    tell_member('parted', name, user)
    redis.call('SREM', P .. ':j:' .. user, name)
  end
  local settings = redis.call('HGET', key, 's')
  if settings then
    if redis.call('HINCRBY', key, 'n', -1) == 0 then tell_channel('channel_vacated', name) end
    touch_channel(name)
  end
  return {name, settings or '', was_last}
end

-- Reads the channels of a request: name, uuid, settings each. Leaves out repeated names.
local function requested_channels()
  local channels, seen = {}, {}
  for index = 1, tonumber(arg()) do
    local requested = {arg(), arg(), arg()}
    if not seen[requested[1]] then
      seen[requested[1]] = true
      channels[#channels + 1] = requested
    end
  end
  return channels
end
