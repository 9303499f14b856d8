-- Appends what webhooks tell to their queue, in the same step as the change. The texts are those of store/webhook-text.ts.
-- WEBHOOK_EVENTS: the types that are told, each between spaces. WEBHOOK_CHANNELS: names of channels, or how they
-- begin, with a * at the end; empty: all channels.
local WEBHOOK_QUEUE = P .. ':webhook-queue'

local function is_told(type, channel)
  if not string.find(WEBHOOK_EVENTS, ' ' .. type .. ' ', 1, true) then return false end
  if not channel or #WEBHOOK_CHANNELS == 0 then return true end
  for _, pattern in ipairs(WEBHOOK_CHANNELS) do
    local is_prefix = string.sub(pattern, -1) == '*'
    if channel == pattern or is_prefix and string.sub(channel, 1, #pattern - 1) == string.sub(pattern, 1, -2) then
      return true
    end
  end
  return false
end

-- Drops the oldest events until a tenth of the room is free. Notes how many of them each endpoint will never get.
local function drop_webhooks(length, bytes)
  local keep = math.min(length - 1, math.floor(WEBHOOK_MAX_EVENTS * 0.9))
  local first = redis.call('XRANGE', WEBHOOK_QUEUE, '-', '+', 'COUNT', 1)[1]
  while true do
    redis.call('XTRIM', WEBHOOK_QUEUE, 'MAXLEN', keep)
    local left = redis.call('XRANGE', WEBHOOK_QUEUE, '-', '+', 'COUNT', 1)[1]
    local floor = left and tonumber(left[2][4]) or bytes
    redis.call('HSET', P, 'toldFloor', floor)
    if keep == 0 or bytes - floor <= WEBHOOK_MAX_BYTES * 0.9 then break end
    keep = math.floor(keep * 0.9)
  end
  local left = redis.call('XRANGE', WEBHOOK_QUEUE, '-', '+', 'COUNT', 1)[1]
  local from = tonumber(string.match(first[1], '^%d+')) - 1
  local through = left and tonumber(string.match(left[1], '^%d+')) - 1 or tonumber(redis.call('HGET', P, 'told'))
  for _, endpoint in ipairs(redis.call('ZRANGE', P .. ':webhooks', 0, -1)) do
    local key = P .. ':webhook:' .. endpoint
    local at = tonumber(redis.call('HGET', key, 'at') or through)
    local lost = at <= from and length - keep or math.min(length - keep, through - at)
    if lost > 0 then
      redis.call('HINCRBY', key, 'untold', lost)
      redis.call('HINCRBY', key, 'dropped', lost)
      redis.call('HSET', key, 'at', string.format('%.0f', through))
    end
  end
end

-- subject: what the event is about. record: the hash that numbers the events of the subject; nil: nothing is kept of it.
-- fields: JSON members that follow the type and the numbers, each after a comma.
local function append_webhook(type, subject, record, fields)
  local n = redis.call('HINCRBY', P, 'told', 1)
  local number = string.format('%.0f', n)
  local seq = number
  if record and redis.call('EXISTS', record) == 1 then
    local next_one = redis.call('HINCRBY', record, 'w', 1)
    -- Begins at the number of the event: it is larger than all that a forgotten record of the same name had.
    if next_one == 1 then redis.call('HSET', record, 'w', number) else seq = string.format('%.0f', next_one) end
  end
  local text = '{"id":"' .. ARGV[3] .. '-' .. number .. '","type":"' .. type .. '","time":' .. string.format('%.0f', wall())
    .. ',"subject":' .. cjson.encode(subject) .. ',"seq":' .. seq .. fields .. '}'
  -- The size of all events before this one.
  local before = tonumber(redis.call('HGET', P, 'toldBytes') or 0)
  local bytes = redis.call('HINCRBY', P, 'toldBytes', #text + #subject + 100)
  redis.call('XADD', WEBHOOK_QUEUE, number .. '-0', 's', subject, 'b', string.format('%.0f', before), 'e', text)
  local length = redis.call('XLEN', WEBHOOK_QUEUE)
  local held = bytes - tonumber(redis.call('HGET', P, 'toldFloor') or 0)
  if length > WEBHOOK_MAX_EVENTS or held > WEBHOOK_MAX_BYTES then drop_webhooks(length, bytes) end
  local waiting = P .. ':webhook-waiting'
  if redis.call('EXISTS', waiting) == 0 then return end
  for _, server in ipairs(redis.call('SMEMBERS', waiting)) do notify_server(server, 'webhook', '', '0', '[]') end
  redis.call('DEL', waiting)
end

local function tell_user(type, user)
  if not is_told(type) then return end
  append_webhook(type, 'user:' .. user, P .. ':u:' .. user, ',"user":' .. cjson.encode(user))
end

local function tell_channel(type, name)
  if not is_told(type, name) then return end
  append_webhook(type, 'channel:' .. name, P .. ':c:' .. name, ',"channel":' .. cjson.encode(name))
end

local function tell_member(type, name, user)
  if not is_told(type, name) then return end
  append_webhook(type, 'channel:' .. name, P .. ':c:' .. name, ',"channel":' .. cjson.encode(name) .. ',"user":' .. cjson.encode(user))
end
