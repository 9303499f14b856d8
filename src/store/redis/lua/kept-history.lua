-- Changes the history of a channel. Requires histories.lua and announce.lua.

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

-- Long histories that this script has changed, by channel: whether the index is complete, and the last message that was
-- found, with its uuid.
local long_histories = {}

local function find_in_long(name, uuid)
  local history = long_histories[name] or {}
  long_histories[name] = history
  if history.uuid == uuid then return history.found end
  history.uuid = uuid
  local through
  if not history.is_settled then
    settle_history(name)
    move_to_sorted(name, MOVED_BY_SEARCH)
    through, history.is_settled = complete_index(name, MOVED_BY_SEARCH)
  end
  history.found = find_in_list(name, uuid) or find_by_index(name, uuid)
  if not history.found and through and not history.is_settled then history.found = find_after(name, uuid, through) end
  return history.found
end

-- Returns the oldest message with this uuid.
local function find_in_history(name, settings, uuid)
  if is_sorted(name, settings) then
    local found = find_in_long(name, uuid)
    return found and found.text
  end
  local list = list_at(history_key(name))
  local position = position_of(list, uuid, nil)
  return position and list.texts[position]
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
  long_histories[name].uuid = nil
  if found.n then
    redis.call('ZREM', sorted_key(name), found.text)
    redis.call('ZREM', index_key(name), (entry_of(found.text)))
  else redis.call('LREM', history_key(name), 1, found.text) end
end

local function add_to_long(name, size, text)
  local history = long_histories[name] or {}
  long_histories[name] = history
  history.uuid = nil
  if not history.is_settled then
    settle_history(name)
    move_to_sorted(name, MOVED_BY_PUBLISH)
    local _, is_complete = complete_index(name, MOVED_BY_PUBLISH)
    history.is_settled = is_complete
  end
  local entry, n = entry_of(text)
  redis.call('ZADD', sorted_key(name), n, text)
  -- A message that is added while others are missing in the index is missing too.
  if history.is_settled then redis.call('ZADD', index_key(name), 0, entry, n, '~') end
  local excess = redis.call('ZCARD', sorted_key(name)) + redis.call('LLEN', history_key(name)) - size
  if excess > 0 then drop_oldest_sorted(name, excess) end
end

local function keep_message(name, settings, event)
  local size, text, key = size_of(settings), timed_text(event), history_key(name)
  if size < 1 then return end
  if is_sorted(name, settings) then return add_to_long(name, size, text) end
  lists[key] = nil
  if redis.call('RPUSH', key, text) > size then redis.call('LTRIM', key, -size, -1) end
end

local function keep_history(name, settings, event)
  local key = history_key(name)
  if event.type == 'message:edit' then
    if is_sorted(name, settings) then edit_in_long(name, event)
    else apply_edit(key, event.uuid, nil, event.edited) end
  elseif event.type == 'message:delete' then
    if is_sorted(name, settings) then remove_from_long(name, event.uuid)
    else remove_event(key, event.uuid, nil) end
  elseif event.type == 'message' and not event.no_history and has(settings, 'h') then
    keep_message(name, settings, event)
  end
end
