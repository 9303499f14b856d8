-- Numbers, stores and announces events, in order. once: an idempotency key (empty: none), with which it happens once.
-- is_counted: returns the recipients of each message in a line: connections, users, then the positions (from 0) of
-- unknown channels. Returns a number if the events were published before. interval, burst, charges: see
-- token-buckets.lua.
local once, is_counted = arg(), arg() == '1'
local interval, burst, charges = tonumber(arg()), tonumber(arg()), list()

-- The sorted set has the deadlines. The expiry of Redis is only a fallback, because the clock of Redis may jump.
local function is_published()
  local until_then = tonumber(redis.call('ZSCORE', P .. ':once', once) or 0)
  -- A key that is not listed was written by an older version.
  return until_then > now or until_then == 0 and redis.call('EXISTS', P .. ':o:' .. once) == 1
end

local function note_published()
  redis.call('SET', P .. ':o:' .. once, '', 'PX', ONCE + EXTRA_TTL)
  redis.call('ZADD', P .. ':once', now + ONCE, once)
end

local has_key = once ~= '' and ONCE > 0
if has_key and is_published() then return 0 end
local full_at, refused = plan_charges(interval, burst, charges)
if #refused > 0 then return {'too-fast', refused} end
take_tokens(full_at)
if has_key then note_published() end

local counts = {messages = 0, deliveries = 0}
-- Arguments of one command. Lua allows some thousands.
local USERS_AT_ONCE = 1000
-- Channels that were read. Nothing but this script changes them while it runs.
local channels = {}

-- Returns the users to look up in each channel, each once: those whom the message is for or, if it is for everybody,
-- those whom it excludes.
local function users_to_find(event)
  local users, seen, names = {}, {}, event.excluded
  if #event.pm > 0 then
    for _, user in ipairs(event.excluded) do seen[user] = true end
    names = event.pm
  end
  for _, user in ipairs(names) do
    if not seen[user] then
      seen[user] = true
      users[#users + 1] = user
    end
  end
  return users
end

-- Counts the connections of these users in the channel, and how many of them are members.
local function members_among(name, users)
  local connections, members = 0, 0
  for first = 1, #users, USERS_AT_ONCE do
    local last = math.min(first + USERS_AT_ONCE - 1, #users)
    for _, count in ipairs(redis.call('HMGET', P .. ':m:' .. name, unpack(users, first, last))) do
      if count then connections, members = connections + tonumber(count), members + 1 end
    end
  end
  return connections, members
end

-- Returns for how many connections and users a message is. The users are only right if they are to be counted.
local function recipients_in(name, connections, event)
  event.to_find = event.to_find or users_to_find(event)
  local found, members = members_among(name, event.to_find)
  if #event.pm > 0 then return found, members end
  return connections - found, (is_counted and redis.call('HLEN', P .. ':m:' .. name) or 0) - members
end

-- Returns the recipients of a message; nil for an unknown channel.
local function to_channel(name, event)
  local known = channels[name]
  if not known then
    local fields = redis.call('HMGET', P .. ':c:' .. name, 's', 'n')
    if not fields[1] then
      if is_lost('c', name) then note_lost('c', name) end
      return
    end
    known = {settings = fields[1], connections = tonumber(fields[2])}
    channels[name] = known
    redis.call('HSET', P .. ':c:' .. name, 'a', wall())
    if known.connections == 0 then touch_channel(name) end
  end
  local connections, users = 0, 0
  if event.type == 'message' then connections, users = recipients_in(name, known.connections, event) end
  counts.deliveries = counts.deliveries + connections
  set_audience(name, known.settings, event)
  tell_message(name, event, event.pm, event.excluded)
  announce_in(name, known.settings, event)
  keep_history(name, known.settings, event)
  return connections, users
end

-- Each channel gets an event of its own. Their bodies differ in the channel only, which stands between head and rest.
-- Edits may have another audience in each.
local function to_channels(head, names, event)
  local rest, pm, excluded = event.rest, event.pm, event.excluded
  local connections, users, unknown = 0, 0, {}
  for position, name in ipairs(names) do
    event.rest, event.pm, event.excluded = head .. cjson.encode(name) .. rest, pm, excluded
    local connections_there, users_there = to_channel(name, event)
    if connections_there then
      connections, users = connections + connections_there, users + users_there
    else
      unknown[#unknown + 1] = position - 1
    end
  end
  return connections, users, unknown
end

-- Sends the event to each server once, with the users that the server listens to.
local function announce_to(users, event)
  local servers, listened = {}, {}
  for _, name in ipairs(users) do
    for _, server in ipairs(fields_marked(P .. ':u:' .. name, '@')) do
      if not listened[server] then
        listened[server] = {}
        servers[#servers + 1] = server
      end
      table.insert(listened[server], name)
    end
  end
  for _, server in ipairs(servers) do
    if notify_server(server, 'event', cjson.encode(listened[server]), event.text) == 0 then
      -- The server does not listen any more. If it comes back, it registers its users again.
      for _, name in ipairs(listened[server]) do redis.call('HDEL', P .. ':u:' .. name, '@' .. server) end
    end
  end
end

-- Returns the recipients of a message.
local function to_users(names, event)
  local known, seen = {}, {}
  for _, name in ipairs(names) do
    if not seen[name] then
      if redis.call('HEXISTS', P .. ':u:' .. name, 'i') == 1 then known[#known + 1] = name
      elseif is_lost('u', name) then note_lost('u', name) end
    end
    seen[name] = true
  end
  if #known == 0 then return 0, 0 end
  assign_number(event)
  tell_message(nil, event, names, event.excluded)
  local sum, users = 0, 0
  for _, name in ipairs(known) do
    local connections = tonumber(redis.call('HGET', P .. ':users', name) or 0)
    sum = sum + connections
    if connections == 0 then redis.call('ZADD', P .. ':idle:u', now + GC_USERS, name) else users = users + 1 end
    keep_frame(P .. ':g:' .. name, P .. ':u:' .. name, USER_FRAMES, event)
  end
  if event.type == 'message' then counts.deliveries = counts.deliveries + sum end
  announce_to(known, event)
  return sum, users
end

-- Publishes an event to the target that the arguments name. Returns its recipients, and the unknown channels.
local function publish_to(target, event)
  if target == 'channel' then
    local connections, users = to_channel(arg(), event)
    if connections then return connections, users, {} end
    return 0, 0, {0}
  end
  if target == 'channels' then return to_channels(arg(), list(), event) end
  if target == 'users' then
    local connections, users = to_users(list(), event)
    return connections, users, {}
  end
  return 0, 0, {}
end

local recipients = {}

for index = 1, tonumber(arg()) do
  local event = {type = arg(), uuid = arg(), no_history = arg() == '1', rest = arg(), edited = list(), pm = list(), excluded = list()}
  if event.type == 'message' then counts.messages = counts.messages + 1 end
  local connections, users, unknown = publish_to(arg(), event)
  if is_counted then
    recipients[index] = table.concat({connections, users, table.concat(unknown, ' ')}, ' ')
  end
end
if counts.messages > 0 then redis.call('HINCRBY', P, 'messages', counts.messages) end
if counts.deliveries ~= 0 then redis.call('HINCRBY', P, 'deliveries', counts.deliveries) end
return is_counted and table.concat(recipients, '\n') or 1
