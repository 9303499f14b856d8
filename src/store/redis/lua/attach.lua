-- A client opened a connection at this server. One that another server holds is asked for first. Whoever asks again
-- ('told': something has changed; 'late': nothing came in time) may find that a client came to yet another server
-- meanwhile. Who is late takes it by force.
local conn_id, kind, attempt = arg(), arg(), arg()
local conn = P .. ':n:' .. conn_id
local held = redis.call('HMGET', conn, 'u', 's', 'k', 'c', 'r', 'w', 'v')
local user, server, waiting = held[1], held[2], held[6]
if not user then return {'unknown'} end
if server and server ~= SERVER then
  local is_first = attempt == 'first'
  if is_alive(server) and not is_first and waiting ~= SERVER then return {'superseded'} end
  if is_alive(server) and attempt == 'told' then return {'held'} end
  if is_alive(server) and is_first then
    if kind == 'poll' and (held[3] == 'stream' or waiting) then return {'waits'} end
    redis.call('HSET', conn, 'w', SERVER)
    if waiting and waiting ~= SERVER then tell(waiting, 'free', conn_id, 0, '[]') end
    tell(server, 'moved', conn_id, held[7] or 0, '[]')
    return {'held'}
  end
  redis.call('SREM', P .. ':at:' .. server, conn_id)
  -- It may not have heard that it was asked, and goes on serving its client.
  tell(server, 'moved', conn_id, held[7] or 0, '[]')
end
-- Which attachment this is, of all there ever were: a server that is asked for an older one does not let go of a newer one.
local turn = tonumber(held[7] or 0)
-- A poll beside a stream of the same server takes nothing over.
if server ~= SERVER or kind == 'stream' or held[3] ~= 'stream' then
  turn = redis.call('HINCRBY', P, 'turns', 1)
  redis.call('HSET', conn, 's', SERVER, 'k', kind, 'r', 1, 'v', turn)
  redis.call('HDEL', conn, 'w')
  if waiting and waiting ~= SERVER then tell(waiting, 'free', conn_id, 0, '[]') end
  redis.call('ZREM', P .. ':due', conn_id)
  redis.call('SADD', P .. ':at:' .. SERVER, conn_id)
end
return {'attached', user, held[4], held[5] and 1 or 0, joined_of(conn), turn}
