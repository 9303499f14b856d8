-- A client opened a connection at this server. One that another server holds is asked for first, unless by force.
local conn_id, kind, force = arg(), arg(), arg() == '1'
local conn = P .. ':n:' .. conn_id
local held = redis.call('HMGET', conn, 'u', 's', 'k', 'c', 'r')
local user, server = held[1], held[2]
if not user then return {'unknown'} end
if server and server ~= SERVER then
  if is_alive(server) and not force then
    if kind == 'poll' and held[3] == 'stream' then return {'waits'} end
    redis.call('HSET', conn, 'w', SERVER)
    tell(server, 'moved', conn_id, 0, '[]')
    return {'held'}
  end
  redis.call('SREM', P .. ':at:' .. server, conn_id)
end
redis.call('HSET', conn, 's', SERVER, 'k', kind, 'r', 1)
redis.call('HDEL', conn, 'w')
redis.call('ZREM', P .. ':due', conn_id)
redis.call('SADD', P .. ':at:' .. SERVER, conn_id)
local channels = {}
for _, name in ipairs(channels_of(conn)) do
  channels[#channels + 1] = name
  channels[#channels + 1] = redis.call('HGET', conn, '#' .. name)
end
return {'attached', user, held[4], held[5] and 1 or 0, channels}
