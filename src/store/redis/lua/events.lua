-- An event as it is kept: its number, type, uuid, body and delivery, a line each; once it is edited, four lines more, for
-- the values of what was edited (empty: not edited).

local function lines_of(text)
  local lines = {}
  for line in string.gmatch(text .. '\n', '(.-)\n') do lines[#lines + 1] = line end
  return lines
end

local function number_of(text)
  return tonumber(string.match(text, '^%d+'))
end

-- The place of the first event with this uuid, counted from 0, and its text. type: nil for any.
local function find_event(key, uuid, type)
  for index, text in ipairs(redis.call('LRANGE', key, 0, -1)) do
    local found_type, found = string.match(text, '^%d+\n([^\n]*)\n([^\n]*)\n')
    if found == uuid and (type == nil or found_type == type) then return index - 1, text end
  end
end

local function amend(key, uuid, type, edited)
  local index, text = find_event(key, uuid, type)
  if not index then return end
  local lines = lines_of(text)
  for place = 1, 4 do
    local value = edited[place]
    lines[5 + place] = value ~= '' and value or lines[5 + place] or ''
  end
  redis.call('LSET', key, index, table.concat(lines, '\n'))
end

local function retract(key, uuid, type)
  local index, text = find_event(key, uuid, type)
  if index then redis.call('LREM', key, 1, text) end
end

-- Keeps an event for those who return. owner: the hash that knows how far back the frames reach.
local function keep_frame(key, owner, capacity, event)
  if event.type == 'message:edit' then amend(key, event.uuid, 'message', event.edited) end
  if event.type == 'message:delete' then retract(key, event.uuid, 'message') end
  if capacity < 1 then
    redis.call('HSET', owner, 'l', event.n)
    return
  end
  local length = redis.call('RPUSH', key, event.text)
  if length > capacity then
    local dropped = redis.call('LPOP', key, length - capacity)
    local lost = number_of(dropped[#dropped])
    -- Frames that were switched off meanwhile lost later events than these.
    if lost > tonumber(redis.call('HGET', owner, 'l')) then redis.call('HSET', owner, 'l', lost) end
  end
end

local function keep_history(key, settings, event)
  if event.type == 'message:edit' then return amend(key, event.uuid, nil, event.edited) end
  if event.type == 'message:delete' then return retract(key, event.uuid, nil) end
  if event.type ~= 'message' or event.no_history or not has(settings, 'h') then return end
  local size = tonumber(string.match(settings, '%d+'))
  if size < 1 then return end
  if redis.call('RPUSH', key, event.text) > size then redis.call('LTRIM', key, -size, -1) end
end
