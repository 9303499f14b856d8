-- Ends a connection. `details`: a JSON list, empty or with a reason for its client. With only_due, keeps one that a client
-- has opened, or that was connected again, since it was due.
local conn_id, only_due, details = arg(), arg() == '1', arg()
local conn = P .. ':n:' .. conn_id
local held = redis.call('HMGET', conn, 'u', 's')
local user, server = held[1], held[2]
if not user then
  redis.call('ZREM', P .. ':due', conn_id)
  return 0
end
if only_due then
  local due = tonumber(redis.call('ZSCORE', P .. ':due', conn_id) or 0)
  if server or due > now + RETRY then return 0 end
end
local changes = {}
for _, name in ipairs(sort_by_creation(channels_of(conn))) do changes[#changes + 1] = leave(conn, user, name) end
redis.call('DEL', conn)
redis.call('HDEL', P .. ':v:' .. user, conn_id)
redis.call('ZREM', P .. ':due', conn_id)
redis.call('HINCRBY', P, 'connections', -1)
if redis.call('HINCRBY', P .. ':users', user, -1) == 0 then
  redis.call('HINCRBY', P, 'connected', -1)
  redis.call('ZADD', P .. ':idle:u', now + GC_USERS, user)
  tell_user('user_offline', user)
end
if server then
  redis.call('SREM', P .. ':at:' .. server, conn_id)
  notify_server(server, 'dropped', conn_id, head_text(), details)
end
announce_presence(user, changes, 'parted')
return 1
