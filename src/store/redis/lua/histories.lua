-- A history is a list (P:h), oldest first. In one that may be long (history_size above LONG_HISTORY), that list has only
-- the older part, if any. The newer part is a sorted set of messages by number (P:l), where a message is found without a
-- walk through others. An index (P:i), a sorted set of `uuid number` by name, finds the oldest message with a uuid. Its
-- last entry, '~', has as its score the number up to which the index is complete.
-- Servers of older versions know the list only. As long as one is there, a long history stays a list, as before. Later
-- each change moves a part of the list to the sorted set. Requires channel.lua and positions.lua.

local function history_key(name)
  return P .. ':h:' .. name
end

local function sorted_key(name)
  return P .. ':l:' .. name
end

local function index_key(name)
  return P .. ':i:' .. name
end

-- Names of servers that know sorted sets begin with an s. Others are hexadecimal, see script-runner.ts.
local function has_older_servers()
  for _, server in ipairs(redis.call('ZRANGE', P .. ':servers', 0, -1)) do
    if string.sub(server, 1, 1) ~= 's' then return true end
  end
  return false
end

local function is_sorted(name, settings)
  return size_of(settings) > LONG_HISTORY and (redis.call('EXISTS', sorted_key(name)) == 1 or not has_older_servers())
end

-- Returns the entry of the index for a message, and its number.
local function entry_of(text)
  local n, uuid = string.match(text, '^(%d+)\n[^\n]*\n([^\n]*)')
  return uuid .. ' ' .. string.format('%016.0f', n), tonumber(n)
end

-- Moves the newest messages of the list to the sorted set. Those without a time are as old as the next one.
local function move_to_sorted(name, most)
  local key, index = sorted_key(name), index_key(name)
  local oldest = redis.call('ZRANGE', key, 0, 0)[1]
  local time = oldest and time_of(oldest) or now
  for _ = 1, most do
    local text = redis.call('RPOP', history_key(name))
    if not text then return end
    time = time_of(text) or time
    local entry, n = entry_of(text)
    redis.call('ZADD', key, n, time_of(text) and text or with_time(text, time))
    redis.call('ZADD', index, 0, entry)
  end
end

-- The list must have older messages only. A server of an older version may have added others.
local function settle_history(name)
  local oldest = tonumber(redis.call('ZRANGE', sorted_key(name), 0, 0, 'WITHSCORES')[2])
  while oldest do
    local newest = redis.call('LINDEX', history_key(name), -1)
    if not newest or number_of(newest) < oldest then return end
    move_to_sorted(name, 1)
  end
end

-- A source, see positions.lua.
local function history_source(name, settings)
  if not is_sorted(name, settings) then return list_source(history_key(name)) end
  settle_history(name)
  local list, key = list_source(history_key(name)), sorted_key(name)
  return {
    length = list.length + redis.call('ZCARD', key),
    at = function(index)
      if index < list.length then return list.at(index) end
      return redis.call('ZRANGE', key, index - list.length, index - list.length)[1]
    end,
    range = function(from, to)
      local texts = from < list.length and list.range(from, math.min(to, list.length - 1)) or {}
      if to < list.length then return texts end
      for _, text in ipairs(redis.call('ZRANGE', key, math.max(from - list.length, 0), to - list.length)) do
        texts[#texts + 1] = text
      end
      return texts
    end,
  }
end

-- Removes the oldest messages of a history that is_sorted.
local function drop_oldest_sorted(name, count)
  local from_list = math.min(count, redis.call('LLEN', history_key(name)))
  if from_list > 0 then redis.call('LTRIM', history_key(name), from_list, -1) end
  local left = count - from_list
  while left > 0 do
    -- Messages and their scores.
    local popped = redis.call('ZPOPMIN', sorted_key(name), math.min(left, READ_AT_ONCE))
    if #popped == 0 then return end
    local entries = {}
    for index = 1, #popped, 2 do entries[#entries + 1] = entry_of(popped[index]) end
    redis.call('ZREM', index_key(name), unpack(entries))
    left = left - #entries
  end
end
