-- Removes what is older than channels keep it (history_ttl). Requires histories.lua.

-- Events without a time that get one.
local TIMED_AT_ONCE = 1000

-- Removes events that are too old. Returns when the oldest one left will be too old; nil if there is none.
local function drop_old(open, ttl, drop)
  local count = first_kept(open(), ttl)
  if count > 0 then drop(count) end
  local left = open()
  return left.length > 0 and (time_at(left, 0) or now) + ttl or nil
end

-- Gives the newest events of a list the current time if they have none. Servers of older versions have added them.
local function note_time(key)
  local length = redis.call('LLEN', key)
  for index = length - 1, math.max(0, length - TIMED_AT_ONCE), -1 do
    local text = redis.call('LINDEX', key, index)
    if time_of(text) then return end
    redis.call('LSET', key, index, with_time(text, now))
  end
end

local function drop_old_frames(name, count)
  local key, channel = P .. ':f:' .. name, P .. ':c:' .. name
  local lost = number_of(redis.call('LINDEX', key, count - 1))
  redis.call('LTRIM', key, count, -1)
  if lost > tonumber(redis.call('HGET', channel, 'l') or 0) then redis.call('HSET', channel, 'l', lost) end
  if redis.call('EXISTS', key) == 0 then redis.call('HDEL', channel, 'f') end
end

-- Removes what is too old in a channel, at most `most` messages. Returns how many messages, and whether there is more.
local function age_channel(name, most)
  local settings, removed = redis.call('HGET', P .. ':c:' .. name, 's'), 0
  local ttl = settings and ttl_of(settings) or 0
  if ttl == 0 then
    redis.call('ZREM', P .. ':aging', name)
    return 0, false
  end
  local frames = P .. ':f:' .. name
  note_time(history_key(name))
  note_time(frames)
  local next_message = drop_old(function() return history_source(name, settings) end, ttl, function(count)
    removed = math.min(count, most)
    if is_sorted(name, settings) then drop_oldest_sorted(name, removed)
    else redis.call('LTRIM', history_key(name), removed, -1) end
  end)
  local next_frame = drop_old(function() return list_source(frames) end, ttl, function(count) drop_old_frames(name, count) end)
  local due = math.min(next_message or math.huge, next_frame or math.huge)
  if due == math.huge then redis.call('ZREM', P .. ':aging', name)
  else redis.call('ZADD', P .. ':aging', due, name) end
  return removed, due <= now
end
