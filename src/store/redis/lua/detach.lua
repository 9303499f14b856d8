-- Detaches connections whose clients are gone for now. For each: connection, attachment number (0: unknown), cursor
-- (-1: keep it), how long it may wait. Skips connections that were attached again meanwhile, here or elsewhere.
for index = 1, tonumber(arg()) do
  local conn_id, attachment_number, cursor, wait = arg(), arg(), tonumber(arg()), tonumber(arg())
  local conn = P .. ':n:' .. conn_id
  local held = redis.call('HMGET', conn, 's', 'w', 'v')
  local server = held[1]
  if held[3] == attachment_number or attachment_number == '0' and server == SERVER then
    if cursor >= 0 then redis.call('HSET', conn, 'c', cursor) end
    -- No server: this one was presumed dead meanwhile, and the connection has a deadline already.
    if server then
      redis.call('SREM', P .. ':at:' .. server, conn_id)
      redis.call('HDEL', conn, 's', 'k', 'w')
      redis.call('ZADD', P .. ':due', now + wait, conn_id)
      if held[2] then notify_server(held[2], 'free', conn_id, 0, '[]') end
    end
  end
end
return 1
