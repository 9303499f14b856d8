-- What every script begins with. The constants in capitals stand before it, see scripts.ts.
-- ARGV: the calendar in milliseconds (0: to be read from Redis's own clock), the server that asks, the epoch that it knows,
-- its estimate of the installation's time (0: none yet), then what is asked.
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

-- Ids would be given twice if numbers began again unnoticed.
local of_root = redis.call('HMGET', P, 'epoch', 'clock')
if of_root[1] ~= ARGV[3] then
  return redis.error_reply('EPOCH the installation has forgotten what this server knows')
end

local function time_of_redis()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The calendar, a moment ago: for people. It may step, so that nothing is due by it.
local function wall()
  local given = tonumber(ARGV[1])
  return given > 0 and given or time_of_redis()
end

-- The installation's time: all deadlines are by it. It began as the calendar and goes on by the steady clocks of the servers,
-- whichever is furthest.
local now = math.max(ESTIMATE, tonumber(of_root[2] or 0))
if now == 0 then now = wall() end

local function head()
  return tonumber(redis.call('HGET', P, 'head') or 0)
end

-- As text: Lua writes large numbers as powers of ten.
local function head_text()
  return string.format('%.0f', head())
end

local function is_alive(server)
  return tonumber(redis.call('ZSCORE', P .. ':servers', server) or 0) >= now
end

-- The fields of a hash that begin with this character, less it.
local function fields_marked(key, mark)
  local names = {}
  for _, field in ipairs(redis.call('HKEYS', key)) do
    if string.sub(field, 1, 1) == mark then names[#names + 1] = string.sub(field, 2) end
  end
  return names
end

-- Whether Redis has taken away what is known of a channel or a user (c or u) that somebody may still rely on.
local function is_lost(kind, name)
  if kind == 'c' then return redis.call('ZSCORE', P .. ':channels', name) end
  return tonumber(redis.call('HGET', P .. ':users', name) or 0) > 0
end

-- The next sweep settles it.
local function note_lost(kind, name)
  redis.call('SADD', P .. ':lost', kind .. name)
end

-- Tells the server that holds a connection. Names of channels are never an empty list: cjson could not notify_server it from a map.
local function notify_server(server, ...)
  return redis.call('SPUBLISH', TOPICS .. ':s:' .. server, table.concat({...}, '\n'))
end
