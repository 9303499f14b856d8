-- Changes a long history that is_sorted. Requires histories.lua.

-- Messages that a script moves from the list of a long history, and adds to an index that is not complete.
local MOVED_BY_PUBLISH = 200
-- The same for an edit or a delete: it searches what was not moved.
local MOVED_BY_SEARCH = 5000
-- Messages that are searched at once.
local SEARCHED_AT_ONCE = 50

-- Adds the oldest messages that are missing in the index. Returns the number up to which it is complete, and whether
-- none is missing any more.
local function complete_index(name, most)
  local key, index = sorted_key(name), index_key(name)
  local newest = tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2] or 0)
  local before = tonumber(redis.call('ZSCORE', index, '~') or 0)
  local through = before
  while through < newest and most > 0 do
    local from = '(' .. string.format('%.0f', through)
    local texts = redis.call('ZRANGE', key, from, '+inf', 'BYSCORE', 'LIMIT', 0, SEARCHED_AT_ONCE)
    for _, text in ipairs(texts) do
      local entry, n = entry_of(text)
      redis.call('ZADD', index, 0, entry)
      through = n
    end
    most = most - #texts
  end
  if through > before then redis.call('ZADD', index, through, '~') end
  return through, through >= newest
end

local function is_about(text, uuid)
  return string.match(text, '^%d+\n[^\n]*\n([^\n]*)') == uuid
end

-- These return the oldest message with a uuid, and where it is: its number in the sorted set, or its position in the list.

local function find_in_list(name, uuid)
  local key = history_key(name)
  for from = 0, redis.call('LLEN', key) - 1, SEARCHED_AT_ONCE do
    for index, text in ipairs(redis.call('LRANGE', key, from, from + SEARCHED_AT_ONCE - 1)) do
      if is_about(text, uuid) then return {text = text, position = from + index - 1} end
    end
  end
end

local function find_by_index(name, uuid)
  local entry = redis.call('ZRANGE', index_key(name), '[' .. uuid .. ' ', '(' .. uuid .. '!', 'BYLEX', 'LIMIT', 0, 1)[1]
  if not entry then return end
  local n = tonumber(string.sub(entry, -16))
  return {text = redis.call('ZRANGE', sorted_key(name), n, n, 'BYSCORE')[1], n = n}
end

local function find_after(name, uuid, through)
  while true do
    local from = '(' .. string.format('%.0f', through)
    local texts = redis.call('ZRANGE', sorted_key(name), from, '+inf', 'BYSCORE', 'LIMIT', 0, SEARCHED_AT_ONCE)
    if #texts == 0 then return end
    for _, text in ipairs(texts) do
      through = number_of(text)
      if is_about(text, uuid) then return {text = text, n = through} end
    end
  end
end

-- What this script knows of long histories, by channel. is_whole: nothing is left in the list or missing in the index.
-- is_indexed: whether messages that are added are added to the index. found: the last message that was searched, by uuid.
local states = {}

local function state_of_history(name)
  states[name] = states[name] or {}
  return states[name]
end

local function find_in_long(name, uuid)
  local state, through = state_of_history(name), nil
  if state.uuid == uuid then return state.found end
  state.uuid = uuid
  if not state.is_whole then
    settle_history(name)
    move_to_sorted(name, MOVED_BY_SEARCH)
    through, state.is_whole = complete_index(name, MOVED_BY_SEARCH)
    if redis.call('EXISTS', history_key(name)) == 1 then state.is_whole = false end
  end
  state.found = find_in_list(name, uuid) or find_by_index(name, uuid)
  if not state.found and not state.is_whole then state.found = find_after(name, uuid, through) end
  return state.found
end

local function edit_in_long(name, event)
  local found = find_in_long(name, event.uuid)
  if not found then return end
  local edited = edited_text(found.text, event.edited)
  if found.n then
    redis.call('ZREM', sorted_key(name), found.text)
    redis.call('ZADD', sorted_key(name), found.n, edited)
  else redis.call('LSET', history_key(name), found.position, edited) end
  found.text = edited
end

local function remove_from_long(name, uuid)
  local found = find_in_long(name, uuid)
  if not found then return end
  state_of_history(name).uuid = nil
  if found.n then
    redis.call('ZREM', sorted_key(name), found.text)
    redis.call('ZREM', index_key(name), (entry_of(found.text)))
  else redis.call('LREM', history_key(name), 1, found.text) end
end

local function add_to_long(name, size, text)
  local state = state_of_history(name)
  state.uuid = nil
  if state.is_indexed == nil then
    settle_history(name)
    move_to_sorted(name, MOVED_BY_PUBLISH)
    local _, is_complete = complete_index(name, MOVED_BY_PUBLISH)
    state.is_indexed = is_complete
  end
  local entry, n = entry_of(text)
  redis.call('ZADD', sorted_key(name), n, text)
  -- A message that is added while others are missing in the index is missing too.
  if state.is_indexed then redis.call('ZADD', index_key(name), 0, entry, n, '~')
  else state.is_whole = false end
  local excess = redis.call('ZCARD', sorted_key(name)) + redis.call('LLEN', history_key(name)) - size
  if excess > 0 then drop_oldest_sorted(name, excess) end
end
