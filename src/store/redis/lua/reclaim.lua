-- This server was taken for dead, and is not: it takes back what it holds. Answers what is another's, or nobody's, by now.
local lost = {}
for index = 1, tonumber(arg()) do
  local conn_id, kind = arg(), arg()
  local conn = P .. ':n:' .. conn_id
  local held = redis.call('HMGET', conn, 'u', 's')
  if not held[1] then
    lost[#lost + 1] = 'dropped'
    lost[#lost + 1] = conn_id
  elseif held[2] and held[2] ~= SERVER and is_alive(held[2]) then
    lost[#lost + 1] = 'moved'
    lost[#lost + 1] = conn_id
  else
    if held[2] and held[2] ~= SERVER then redis.call('SREM', P .. ':at:' .. held[2], conn_id) end
    redis.call('HSET', conn, 's', SERVER, 'k', kind)
    redis.call('ZREM', P .. ':due', conn_id)
    redis.call('SADD', P .. ':at:' .. SERVER, conn_id)
  end
end
return lost
