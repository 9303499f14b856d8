-- A client opened a connection at this server. One that another server holds is asked for first. Whoever asks again
-- ('told': something has changed; 'late': nothing came in time) may find that a client came to yet another server
-- meanwhile. Who is late takes it by force.
local conn_id, kind, attempt = arg(), arg(), arg()
local conn = P .. ':n:' .. conn_id
local held = redis.call('HMGET', conn, 'u', 's', 'k', 'c', 'r', 'w', 'v', 'z')
local server, waiting = held[2], held[6]
local user = not held[8] and user_of(conn)
if not user then return {'unknown'} end

-- Whether anybody heard it. Nobody does where that server is dead, or has lost Redis and does not know of this yet: then
-- it finds out by its turn.
local function notify_holder(type)
  return notify_server(server, type, conn_id, held[7] or 0, '[]') > 0
end

-- What to answer while it is the holder's; nil if it can be taken.
local function refusal()
  if attempt ~= 'first' and waiting ~= SERVER then return 'superseded' end
  if attempt == 'told' and notify_holder('probe') then return 'held' end
  if attempt ~= 'first' then return nil end
  if kind == 'poll' and waiting then return 'waits' end
  if kind == 'poll' and held[3] == 'stream' then return notify_holder('probe') and 'waits' or nil end
  if not notify_holder('moved') then return nil end
  redis.call('HSET', conn, 'w', SERVER)
  if waiting and waiting ~= SERVER then notify_server(waiting, 'free', conn_id, 0, '[]') end
  return 'held'
end

if server and server ~= SERVER then
  local answer = is_alive(server) and refusal()
  if answer then return {answer} end
  redis.call('SREM', P .. ':at:' .. server, conn_id)
  -- It may not have heard that it was asked, and goes on serving its client.
  notify_holder('moved')
end
-- Which attachment this is, of all there ever were: a server that is asked for an older one does not let go of a newer one.
local attachment_number = tonumber(held[7] or 0)
-- A poll beside a stream of the same server takes nothing over.
if server ~= SERVER or kind == 'stream' or held[3] ~= 'stream' then
  attachment_number = redis.call('HINCRBY', P, 'turns', 1)
  redis.call('HSET', conn, 's', SERVER, 'k', kind, 'r', 1, 'v', attachment_number)
  redis.call('HDEL', conn, 'w')
  if waiting and waiting ~= SERVER then notify_server(waiting, 'free', conn_id, 0, '[]') end
  redis.call('ZREM', P .. ':due', conn_id)
  redis.call('SADD', P .. ':at:' .. SERVER, conn_id)
end
return {'attached', user, held[4], held[5] and 1 or 0, joined_of(conn), attachment_number}
