-- An event as it is kept: its number, type, uuid, body and delivery, a line each; once it is edited, four lines more, for
-- the values of what was edited (empty: not edited).

local function split_lines(text)
  local lines = {}
  for line in string.gmatch(text .. '\n', '(.-)\n') do lines[#lines + 1] = line end
  return lines
end

local function number_of(text)
  return tonumber(string.match(text, '^%d+'))
end

-- Lists that this script has looked into, as they are by now: whoever edits thousands of messages reads each list once.
-- texts: by place; what is taken out becomes false. first: the place of the oldest. at: places by uuid.
local lists = {}

local function add(list, text)
  local place = list.last + 1
  local type, uuid = string.match(text, '^%d+\n([^\n]*)\n([^\n]*)\n')
  list.last, list.texts[place], list.types[place] = place, text, type
  list.at[uuid] = list.at[uuid] or {}
  table.insert(list.at[uuid], place)
end

local function list_at(key)
  if not lists[key] then
    local list = {first = 1, last = 0, texts = {}, types = {}, at = {}}
    for _, text in ipairs(redis.call('LRANGE', key, 0, -1)) do add(list, text) end
    lists[key] = list
  end
  return lists[key]
end

-- The place of the first event with this uuid. type: nil for any.
local function place_of(list, uuid, type)
  for _, place in ipairs(list.at[uuid] or {}) do
    local is_there = place >= list.first and list.texts[place]
    if is_there and (type == nil or list.types[place] == type) then return place end
  end
end

-- So many of the oldest are gone.
local function drop_oldest(list, count)
  while count > 0 do
    if list.texts[list.first] then count = count - 1 end
    list.first = list.first + 1
  end
end

local function apply_edit(key, uuid, type, edited)
  -- Places are no indices any more once something was taken out between them.
  if lists[key] and lists[key].has_holes then lists[key] = nil end
  local list = list_at(key)
  local place = place_of(list, uuid, type)
  if not place then return end
  local lines = split_lines(list.texts[place])
  for number = 1, 4 do
    local value = edited[number]
    lines[5 + number] = value ~= '' and value or lines[5 + number] or ''
  end
  list.texts[place] = table.concat(lines, '\n')
  redis.call('LSET', key, place - list.first, list.texts[place])
end

local function remove_event(key, uuid, type)
  local list = list_at(key)
  local place = place_of(list, uuid, type)
  if not place then return end
  redis.call('LREM', key, 1, list.texts[place])
  list.texts[place] = false
  list.has_holes = true
  return true
end

-- Keeps an event for those who return. owner: the hash that knows how far back the frames reach (l), and that there are any
-- (f): frames that are missing all the same are lost.
local function keep_frame(key, owner, capacity, event)
  if event.type == 'message:edit' then apply_edit(key, event.uuid, 'message', event.edited) end
  local is_shorter = event.type == 'message:delete' and remove_event(key, event.uuid, 'message')
  if capacity < 1 then
    redis.call('HSET', owner, 'l', event.n)
    if is_shorter and redis.call('EXISTS', key) == 0 then redis.call('HDEL', owner, 'f') end
    return
  end
  local length = redis.call('RPUSH', key, event.text)
  if length == 1 and not is_shorter and redis.call('HSETNX', owner, 'f', 1) == 0 then
    redis.call('HSET', owner, 'l', event.n - 1)
  end
  local list = lists[key]
  if list then add(list, event.text) end
  if length > capacity then
    local dropped = redis.call('LPOP', key, length - capacity)
    if list then drop_oldest(list, #dropped) end
    local lost = number_of(dropped[#dropped])
    -- Frames that were switched off meanwhile lost later events than these.
    if lost > tonumber(redis.call('HGET', owner, 'l') or 0) then redis.call('HSET', owner, 'l', lost) end
  end
end

local function keep_history(key, settings, event)
  if event.type == 'message:edit' then return apply_edit(key, event.uuid, nil, event.edited) end
  if event.type == 'message:delete' then return remove_event(key, event.uuid, nil) end
  if event.type ~= 'message' or event.no_history or not has(settings, 'h') then return end
  local size = tonumber(string.match(settings, '%d+'))
  if size < 1 then return end
  lists[key] = nil
  if redis.call('RPUSH', key, event.text) > size then redis.call('LTRIM', key, -size, -1) end
end
