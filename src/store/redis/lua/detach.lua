-- Clients are gone from this server for now: connection, cursor (-1: as it was), how long it may wait. What another server
-- holds by now is left as it is.
for index = 1, tonumber(arg()) do
  local conn_id, cursor, wait = arg(), tonumber(arg()), tonumber(arg())
  local conn = P .. ':n:' .. conn_id
  local held = redis.call('HMGET', conn, 's', 'w')
  redis.call('SREM', P .. ':at:' .. SERVER, conn_id)
  if held[1] == SERVER then
    if cursor >= 0 then redis.call('HSET', conn, 'c', cursor) end
    redis.call('HDEL', conn, 's', 'k', 'w')
    redis.call('ZADD', P .. ':due', now + wait, conn_id)
    if held[2] then tell(held[2], 'free', conn_id, 0, '[]') end
  end
end
return 1
