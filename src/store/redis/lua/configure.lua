-- Creates channels, or replaces all of their settings.

-- Cuts a long history, and leaves its index to be made again: to remove each message from it would take long.
local function cut_sorted(name, size)
  local excess = redis.call('LLEN', history_key(name)) + redis.call('ZCARD', sorted_key(name)) - size
  if excess < 1 then return end
  local from_list = math.min(excess, redis.call('LLEN', history_key(name)))
  redis.call('LTRIM', history_key(name), from_list, -1)
  if from_list == excess then return end
  redis.call('ZREMRANGEBYRANK', sorted_key(name), 0, excess - from_list - 1)
  redis.call('UNLINK', index_key(name))
end

local function resize_history(name, settings)
  local size, key = size_of(settings), history_key(name)
  local is_long_now = redis.call('EXISTS', sorted_key(name)) == 1
  if is_long_now then
    settle_history(name)
    cut_sorted(name, size)
  end
  if is_long_now and size <= LONG_HISTORY then
    for _, text in ipairs(redis.call('ZRANGE', sorted_key(name), 0, -1)) do redis.call('RPUSH', key, text) end
    redis.call('UNLINK', sorted_key(name), index_key(name))
  end
  if size < 1 then redis.call('UNLINK', key)
  else redis.call('LTRIM', key, -size, -1) end
end

for _, requested in ipairs(requested_channels()) do
  local name, settings = requested[1], requested[3]
  channel(name, requested[2], settings)
  redis.call('HSET', P .. ':c:' .. name, 's', settings)
  note_settings(name, settings)
  resize_history(name, settings)
  -- The next sweep removes what is too old.
  if ttl_of(settings) > 0 then redis.call('ZADD', P .. ':aging', now, name)
  else redis.call('ZREM', P .. ':aging', name) end
  touch_channel(name)
end
return 1
