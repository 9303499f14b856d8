-- The script that makes a change also announces it: no user joins or leaves without an event, whatever happens next.
-- The events are those of store/change-events.ts. The first arguments of these scripts are the time and a UUID.
local TIMESTAMP, UUID = arg(), arg()

local json = cjson.encode
local event_count = 0

-- Derives a different UUID for each event.
local function next_uuid()
  local first = (tonumber(string.sub(UUID, 1, 8), 16) + event_count) % 2 ^ 32
  event_count = event_count + 1
  return string.format('%08x', first) .. string.sub(UUID, 9)
end

-- Replaces the escapes in a JSON string, or in a list of strings, so that each quote begins or ends a string. JSON has
-- no other control characters, so \1 is unambiguous.
local function without_escapes(text)
  return (string.gsub(text, '\\(.)', function(escaped)
    return '\1' .. (escaped == '"' and 'q' or escaped)
  end))
end

-- Returns the public state of a user as JSON, and its keys.
local public_states = {}
local function public_state_of(user)
  if public_states[user] then return public_states[user] end
  local record, keys, parts = redis.call('HGETALL', P .. ':u:' .. user), {}, {}
  for index = 1, #record, 2 do
    if record[index] == 'k' then
      for key in string.gmatch(without_escapes(record[index + 1]), '"[^"]*"') do keys[key] = true end
    end
  end
  for index = 1, #record, 2 do
    if keys[without_escapes(record[index])] then parts[#parts + 1] = record[index] .. ':' .. record[index + 1] end
  end
  public_states[user] = {state = '{' .. table.concat(parts, ',') .. '}', keys = keys}
  return public_states[user]
end

-- Returns some users of a channel, and their total, if presence is announced with user lists.
local function present_in(name, settings)
  if not has(settings, 'l') then return '[]', '' end
  local cards = {}
  for index, user in ipairs(some_members(name, PRESENCE_LIST_LIMIT)) do
    cards[index] = '{"user":' .. json(user) .. ',"state":' .. public_state_of(user).state .. '}'
  end
  local total = redis.call('HLEN', P .. ':m:' .. name)
  return '[' .. table.concat(cards, ',') .. ']', ',"users_total":' .. total
end

-- fields: what follows type and uuid
local function announce_change(name, settings, type, fields, delivery)
  local uuid = next_uuid()
  local body = '{"type":"' .. type .. '","uuid":"' .. uuid .. '",' .. fields .. '}'
  redis.call('HSET', P .. ':c:' .. name, 'a', wall())
  announce_in(name, settings, {type = type, uuid = uuid, rest = body .. '\n' .. delivery})
end

-- changes: {name, settings, whether it was the user's first connection there, or the last} each
local function announce_presence(user, changes, action)
  local delivery = '{"pmUsers":[],"excludeUsers":[' .. json(user) .. '],"noHistory":false}'
  for _, change in ipairs(changes) do
    local name, settings = change[1], change[2]
    if change[3] and has(settings, 'p') then
      local users, total = present_in(name, settings)
      announce_change(name, settings, 'presence', '"user":' .. json(user) .. ',"users":' .. users .. total
        .. ',"timestamp":"' .. TIMESTAMP .. '","channel":' .. json(name) .. ',"message":{"action":"' .. action
        .. '"},"state":' .. (action == 'joined' and public_state_of(user).state or 'null'), delivery)
    end
  end
end

-- changed: keys and values, each in JSON
local function announce_state(user, changed, channels)
  local public, parts = public_state_of(user), {}
  for index = 1, #changed, 2 do
    if public.keys[without_escapes(changed[index])] then
      parts[#parts + 1] = '{"key":' .. changed[index] .. ',"value":' .. changed[index + 1] .. '}'
    end
  end
  local message = '{"state":' .. public.state .. ',"changed":[' .. table.concat(parts, ',') .. ']}'
  for _, name in ipairs(channels) do
    local settings = redis.call('HGET', P .. ':c:' .. name, 's')
    if settings then
      announce_change(name, settings, 'user_state_change', '"user":' .. json(user) .. ',"timestamp":"' .. TIMESTAMP
        .. '","channel":' .. json(name) .. ',"message":' .. message, '')
    else note_lost('c', name) end
  end
end
