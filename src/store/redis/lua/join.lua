-- Joins channels.
local conn_id, max_channels, unlimited, channels = arg(), tonumber(arg()), list(), requested_channels()
local conn = P .. ':n:' .. conn_id
local user = user_of(conn)
if not user then return false end
for _, name in ipairs(unlimited) do
  if name == user then max_channels = 0 end
end
if exceeds_channels(user, channels, max_channels) then return user end
local changes, names = join(conn_id, conn, user, channels)
announce_presence(user, changes, 'joined')
return {user_record(user), names, channels_of(conn)}
