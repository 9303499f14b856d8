-- Format of a stored event: number, type, uuid, body and delivery, one line each. An edited event has four more lines,
-- with the edited values (empty: not edited). An event in a history, and in the frames of a channel with history_ttl, has
-- these lines in any case, and then one with the time, in milliseconds. Events of older versions have no time.

local function split_lines(text)
  local lines = {}
  for line in string.gmatch(text .. '\n', '(.-)\n') do lines[#lines + 1] = line end
  return lines
end

local function number_of(text)
  return tonumber(string.match(text, '^%d+'))
end

-- Lists that this script has read, with its changes: a request that edits thousands of messages reads each list once.
-- texts: by position; removed ones are false. first: the position of the oldest. messages: their positions by uuid, oldest
-- first. changes: the position of the last edit or delete by uuid.
local lists = {}

local function add(list, text)
  local position = list.last + 1
  local type, uuid = string.match(text, '^%d+\n([^\n]*)\n([^\n]*)\n')
  list.last, list.texts[position] = position, text
  if type == 'message' then
    list.messages[uuid] = list.messages[uuid] or {}
    table.insert(list.messages[uuid], position)
  elseif type == 'message:edit' or type == 'message:delete' then
    list.changes[uuid] = position
  end
end

local function list_at(key)
  if not lists[key] then
    local list = {first = 1, last = 0, texts = {}, messages = {}, changes = {}}
    for _, text in ipairs(redis.call('LRANGE', key, 0, -1)) do add(list, text) end
    lists[key] = list
  end
  return lists[key]
end

-- Returns the position of the oldest message with this uuid.
local function position_of(list, uuid)
  for _, position in ipairs(list.messages[uuid] or {}) do
    if position >= list.first and list.texts[position] then return position end
  end
end

-- Returns the last edit or delete of a message.
local function change_of(list, uuid)
  local position = list.changes[uuid]
  return position and position >= list.first and list.texts[position]
end

-- Notes that Redis has removed this number of the oldest events.
local function drop_oldest(list, count)
  while count > 0 do
    if list.texts[list.first] then count = count - 1 end
    list.first = list.first + 1
  end
end

local function edited_text(text, edited)
  local lines = split_lines(text)
  for number = 1, 4 do
    local value = edited[number]
    lines[5 + number] = value ~= '' and value or lines[5 + number] or ''
  end
  return table.concat(lines, '\n')
end

local function apply_edit(key, uuid, edited)
  -- After a removal in the middle, positions do not match indices in Redis any more.
  if lists[key] and lists[key].has_holes then lists[key] = nil end
  local list = list_at(key)
  local position = position_of(list, uuid)
  if not position then return end
  list.texts[position] = edited_text(list.texts[position], edited)
  redis.call('LSET', key, position - list.first, list.texts[position])
end

local function remove_event(key, uuid)
  local list = list_at(key)
  local position = position_of(list, uuid)
  if not position then return end
  redis.call('LREM', key, 1, list.texts[position])
  list.texts[position] = false
  list.has_holes = true
  return true
end

-- Stores an event for connections that return. owner: the hash that stores how far back the frames reach (l), and that
-- there are any (f). If f is set and the frames are missing, they are lost.
local function keep_frame(key, owner, capacity, event)
  if event.type == 'message:edit' then apply_edit(key, event.uuid, event.edited) end
  local is_shorter = event.type == 'message:delete' and remove_event(key, event.uuid)
  if capacity < 1 then
    redis.call('HSET', owner, 'l', event.n)
    if is_shorter and redis.call('EXISTS', key) == 0 then redis.call('HDEL', owner, 'f') end
    return
  end
  local length = redis.call('RPUSH', key, event.kept or event.text)
  if length == 1 and not is_shorter and redis.call('HSETNX', owner, 'f', 1) == 0 then
    redis.call('HSET', owner, 'l', event.n - 1)
  end
  local list = lists[key]
  if list then add(list, event.kept or event.text) end
  if length > capacity then
    local dropped = redis.call('LPOP', key, length - capacity)
    if list then drop_oldest(list, #dropped) end
    local lost = number_of(dropped[#dropped])
    -- If frames were switched off for a while, later events than these are lost.
    if lost > tonumber(redis.call('HGET', owner, 'l') or 0) then redis.call('HSET', owner, 'l', lost) end
  end
end
