-- Leaves channels.
local conn_id = arg()
local conn = P .. ':n:' .. conn_id
local held = redis.call('HMGET', conn, 'u', 's', 'r')
local user = held[1] and user_of(conn)
if not user then return false end
local changes, names = {}, {}
for _, name in ipairs(list()) do
  local change = leave(conn, user, name)
  if change then
    changes[#changes + 1] = change
    names[#names + 1] = name
    if change[3] then note_removal(name, 'u:' .. user)
    -- A connection that a client has opened before needs none: it catches up from each joining on anyway.
    elseif not held[3] then note_removal(name, 'n:' .. conn_id) end
  end
end
if held[2] and #names > 0 then notify_server(held[2], 'left', conn_id, head_text(), cjson.encode(names)) end
announce_presence(user, changes, 'parted')
return {user_record(user), names, channels_of(conn)}
