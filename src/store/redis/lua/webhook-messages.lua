-- Tells messages, edits and deletes to webhooks. Requires webhooks.lua and audience.lua.

-- name: the channel; nil for a message that is in none.
local function tell_message(name, event, pm, excluded)
  if event.type ~= 'message' and event.type ~= 'message:edit' and event.type ~= 'message:delete' then return end
  if not is_told('message', name) then return end
  local fields = ',"channel":' .. (name and cjson.encode(name) or 'null') .. ',"message":' .. string.match(event.rest, '^[^\n]*')
    .. ',"pm_users":' .. json_list(pm) .. ',"exclude_users":' .. json_list(excluded)
  append_webhook('message', name and 'channel:' .. name or 'private', name and P .. ':c:' .. name, fields)
end
