-- Attaches a connection that a client opened on this server. If another server holds it, that server is first asked to
-- hand it over. attempt: 'first', 'told' (something has changed), or 'late' (the handover timed out). A repeated
-- attempt is 'superseded' if a client opened the connection on yet another server meanwhile. A late attempt takes the
-- connection anyway.
local conn_id, kind, attempt = arg(), arg(), arg()
local conn = P .. ':n:' .. conn_id
local held = redis.call('HMGET', conn, 'u', 's', 'k', 'c', 'r', 'w', 'v', 'z')
local server, waiting = held[2], held[6]
local user = not held[8] and user_of(conn)
if not user then return {'unknown'} end

-- Returns whether the holder received the message. It does not if it is dead, or has lost Redis without noticing yet.
-- In that case its attachment number shows later that it lost the connection (reclaim.lua).
local function notify_holder(type)
  return notify_server(server, type, conn_id, held[7] or 0, '[]') > 0
end

-- The outcome if the holder keeps the connection; nil if this server can take it.
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
  -- The holder may have missed the request and may still serve its client.
  notify_holder('moved')
end
-- Fencing token, unique in the installation: a server that is asked to hand over an older attachment keeps a newer one.
local attachment_number = tonumber(held[7] or 0)
-- A poll does not take over from a stream on the same server.
if server ~= SERVER or kind == 'stream' or held[3] ~= 'stream' then
  attachment_number = redis.call('HINCRBY', P, 'turns', 1)
  redis.call('HSET', conn, 's', SERVER, 'k', kind, 'r', 1, 'v', attachment_number)
  redis.call('HDEL', conn, 'w')
  if waiting and waiting ~= SERVER then notify_server(waiting, 'free', conn_id, 0, '[]') end
  redis.call('ZREM', P .. ':due', conn_id)
  redis.call('SADD', P .. ':at:' .. SERVER, conn_id)
end
return {'attached', user, held[4], held[5] and 1 or 0, joined_of(conn), attachment_number}
