-- Shared by all scripts that read a channel. Each function here costs time in each of these scripts.

-- In settings, each flag is a letter, history_size is digits, and history_ttl is a t with digits, see encoding.ts.
local function has(settings, flag)
  return settings and string.find(settings, flag, 1, true) ~= nil
end

local function size_of(settings)
  return tonumber(string.match(settings, '%d+'))
end

-- Returns how long the channel keeps messages, in milliseconds. 0: no limit.
local function ttl_of(settings)
  return tonumber(string.match(settings, 't(%d+)') or 0) * 1000
end

-- Restarts the idle time of an empty channel. To be called when something happened in a channel that may be empty.
local function touch_channel(name)
  if redis.call('HGET', P .. ':c:' .. name, 'n') == '0' then
    redis.call('ZADD', P .. ':idle:c', now + GC_CHANNELS, name)
  end
end
