-- Clients are gone from this server for now: connection, the turn in which it was attached here (0: unknown), cursor (-1: as
-- it was), how long it may wait. What another server holds by now is left as it is.
for index = 1, tonumber(arg()) do
  local conn_id, turn, cursor, wait = arg(), arg(), tonumber(arg()), tonumber(arg())
  local conn = P .. ':n:' .. conn_id
  local held = redis.call('HMGET', conn, 's', 'w', 'v')
  redis.call('SREM', P .. ':at:' .. SERVER, conn_id)
  -- Nobody's: this server was taken for dead meanwhile, and when the connection is due is settled.
  local is_left = not held[1] and held[3] == turn
  if cursor >= 0 and (held[1] == SERVER or is_left) then redis.call('HSET', conn, 'c', cursor) end
  if held[1] == SERVER then
    redis.call('HDEL', conn, 's', 'k', 'w')
    redis.call('ZADD', P .. ':due', now + wait, conn_id)
    if held[2] then tell(held[2], 'free', conn_id, 0, '[]') end
  end
end
return 1
