-- Shared by all scripts that read a channel. Each function here costs time in each of these scripts.

-- In settings, each flag is a letter and history_size is digits, see encoding.ts.
local function has(settings, flag)
  return settings and string.find(settings, flag, 1, true) ~= nil
end

-- Restarts the idle time of an empty channel. To be called when something happened in a channel that may be empty.
local function touch_channel(name)
  if redis.call('HGET', P .. ':c:' .. name, 'n') == '0' then
    redis.call('ZADD', P .. ':idle:c', now + GC_CHANNELS, name)
  end
end
