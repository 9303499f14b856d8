-- Joins channels.
local conn_id = arg()
local conn = P .. ':n:' .. conn_id
local user = redis.call('HGET', conn, 'u')
if not user then return false end
local changes = join(conn_id, conn, user, wanted_channels())
return {user_record(user), changes, channels_of(conn)}
