-- Changes the history of a channel. Requires announce.lua and long_histories, see scripts.ts.

local function is_in_long(name, settings)
  return size_of(settings) > LONG_HISTORY and long_histories().is_sorted(name, settings)
end

-- Returns the oldest message with this uuid.
local function find_in_history(name, settings, uuid)
  if is_in_long(name, settings) then
    local found = long_histories().find_in_long(name, uuid)
    return found and found.text
  end
  local list = list_at(P .. ':h:' .. name)
  local position = position_of(list, uuid)
  return position and list.texts[position]
end

local function keep_message(name, settings, event)
  local size, text, key = size_of(settings), timed_text(event), P .. ':h:' .. name
  if size < 1 then return end
  if is_in_long(name, settings) then return long_histories().add_to_long(name, size, text) end
  lists[key] = nil
  if redis.call('RPUSH', key, text) > size then redis.call('LTRIM', key, -size, -1) end
end

local function keep_history(name, settings, event)
  local key = P .. ':h:' .. name
  if event.type == 'message:edit' then
    if is_in_long(name, settings) then long_histories().edit_in_long(name, event)
    else apply_edit(key, event.uuid, event.edited) end
  elseif event.type == 'message:delete' then
    if is_in_long(name, settings) then long_histories().remove_from_long(name, event.uuid)
    else remove_event(key, event.uuid) end
  elseif event.type == 'message' and not event.no_history and has(settings, 'h') then
    keep_message(name, settings, event)
  end
end
