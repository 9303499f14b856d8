-- The beginning of every script but enter.lua. The constants in capitals come before it, see scripts.ts.
-- ARGV: the calendar in milliseconds (0: read Redis's own clock), the calling server, the epoch that it knows,
-- its estimate of the installation's time (0: none yet), then the arguments of the script.
local SERVER, ESTIMATE = ARGV[2], tonumber(ARGV[4])
local at = 4
local function arg()
  at = at + 1
  return ARGV[at]
end
local function list()
  local values = {}
  for index = 1, tonumber(arg()) do values[index] = arg() end
  return values
end

-- If numbering restarted unnoticed, ids would be assigned twice.
local of_root = redis.call('HMGET', P, 'epoch', 'clock')
if of_root[1] ~= ARGV[3] then
  return redis.error_reply('EPOCH the installation has forgotten what this server knows')
end

local function time_of_redis()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The calendar of a moment ago, for people. It may jump, so no deadline uses it.
local function wall()
  local given = tonumber(ARGV[1])
  return given > 0 and given or time_of_redis()
end

-- The installation's time, used by all deadlines. It began as the calendar, and advances with the monotonic clocks of
-- the servers: the one furthest ahead counts.
local now = math.max(ESTIMATE, tonumber(of_root[2] or 0))
if now == 0 then now = wall() end

local function head()
  return tonumber(redis.call('HGET', P, 'head') or 0)
end

-- As text, because Lua writes large numbers as powers of ten.
local function head_text()
  return string.format('%.0f', head())
end

local function is_alive(server)
  return tonumber(redis.call('ZSCORE', P .. ':servers', server) or 0) >= now
end

-- The fields of a hash that begin with this character, without it.
local function fields_marked(key, mark)
  local names = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 1) == mark then names[#names + 1] = string.sub(field, 2) end
  end
  return names
end

-- Whether a missing channel or user (c or u) was evicted by Redis, so that somebody may still rely on it.
local function is_lost(kind, name)
  if kind == 'c' then return redis.call('ZSCORE', P .. ':channels', name) end
  return tonumber(redis.call('HGET', P .. ':users', name) or 0) > 0
end

-- The next sweep handles it.
local function note_lost(kind, name)
  redis.call('SADD', P .. ':lost', kind .. name)
end

-- Sends a message to one server. Returns how many received it. Callers never encode an empty list of channels: cjson
-- would make it an object.
local function notify_server(server, ...)
  return redis.call('SPUBLISH', TOPICS .. ':s:' .. server, table.concat({...}, '\n'))
end
