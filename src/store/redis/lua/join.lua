-- Joins channels.
local conn_id = arg()
local conn = P .. ':n:' .. conn_id
local user = user_of(conn)
if not user then return false end
local changes, names = join(conn_id, conn, user, requested_channels())
announce_presence(user, changes, 'joined')
return {user_record(user), names, channels_of(conn)}
