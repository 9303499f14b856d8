-- The audience of an edit or a delete in a channel, see store/audience.ts.

-- The users in the delivery line of an event: its recipients, and the excluded users.
local function users_in(delivery)
  if delivery == '' then return {}, {} end
  -- The rest does not concern users, and may contain any text that a client wrote.
  local users = cjson.decode(string.match(delivery, '^(.-),"noHistory":') .. '}')
  return users.pmUsers, users.excludeUsers
end

-- cjson would encode an empty list as an object.
local function json_list(names)
  return #names == 0 and '[]' or cjson.encode(names)
end

-- The stored message with this uuid, the oldest of several. If there is none, the last edit or delete of it.
local function original_of(name, settings, uuid)
  local shown, frames = find_in_history(name, settings, uuid), list_at(P .. ':f:' .. name)
  local kept = position_of(frames, uuid)
  kept = kept and frames.texts[kept]
  if shown and kept then return number_of(shown) < number_of(kept) and shown or kept end
  return shown or kept or change_of(frames, uuid)
end

local function set_audience(name, settings, event)
  local is_change = event.type == 'message:edit' or event.type == 'message:delete'
  if not is_change or #event.pm > 0 then return end
  local original = original_of(name, settings, event.uuid)
  if not original then return end
  local pm, excluded = users_in(split_lines(original)[5])
  if #pm == 0 and #excluded == 0 then return end
  local seen = {}
  for _, user in ipairs(excluded) do seen[user] = true end
  for _, user in ipairs(event.excluded) do
    if not seen[user] then excluded[#excluded + 1] = user end
    seen[user] = true
  end
  event.pm, event.excluded = pm, excluded
  event.rest = string.match(event.rest, '^[^\n]*') .. '\n{"pmUsers":' .. json_list(pm) .. ',"excludeUsers":'
    .. json_list(excluded) .. ',"noHistory":false}'
end
