-- Whom an edit or a delete in a channel is for, see store/audience.ts.

-- The users that the last line of an event names: those it is for, and those it is not for.
local function named_in(delivery)
  if delivery == '' then return {}, {} end
  -- What follows is not about users, and may be anything that somebody wrote.
  local named = cjson.decode(string.match(delivery, '^(.-),"noHistory":') .. '}')
  return named.pmUsers, named.excludeUsers
end

-- An empty list would be an empty map.
local function json_list(names)
  return #names == 0 and '[]' or cjson.encode(names)
end

-- What is known of a message: itself, and where several have the uuid the first of them; else what was told of it last.
local function original_of(name, uuid)
  local history, frames = list_at(P .. ':h:' .. name), list_at(P .. ':f:' .. name)
  local shown, kept = place_of(history, uuid, nil), place_of(frames, uuid, 'message')
  shown, kept = shown and history.texts[shown], kept and frames.texts[kept]
  if shown and kept then return number_of(shown) < number_of(kept) and shown or kept end
  if shown or kept then return shown or kept end
  local announced = frames.at[uuid] or {}
  for index = #announced, 1, -1 do
    local place = announced[index]
    local is_change = frames.types[place] == 'message:edit' or frames.types[place] == 'message:delete'
    if place >= frames.first and frames.texts[place] and is_change then return frames.texts[place] end
  end
end

local function set_audience(name, event)
  local is_change = event.type == 'message:edit' or event.type == 'message:delete'
  if not is_change or #event.pm > 0 then return end
  local original = original_of(name, event.uuid)
  if not original then return end
  local pm, excluded = named_in(split_lines(original)[5])
  if #pm == 0 and #excluded == 0 then return end
  local seen = {}
  for _, user in ipairs(excluded) do seen[user] = true end
  for _, user in ipairs(event.excluded) do
    if not seen[user] then excluded[#excluded + 1] = user end
    seen[user] = true
  end
  event.rest = string.match(event.rest, '^[^\n]*') .. '\n{"pmUsers":' .. json_list(pm) .. ',"excludeUsers":'
    .. json_list(excluded) .. ',"noHistory":false}'
end
