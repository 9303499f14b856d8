-- This server lost Redis, or was presumed dead, and is back. It keeps connections that nobody attached since. Returns
-- the channels of each of these. For the others: 'moved' to another attachment, or 'dropped'.
local replies = {}
for index = 1, tonumber(arg()) do
  local conn_id, kind, attachment_number = arg(), arg(), arg()
  local conn = P .. ':n:' .. conn_id
  local held = redis.call('HMGET', conn, 'u', 's', 'v')
  if not held[1] then
    replies[index] = {'dropped', conn_id, {}}
  elseif held[3] ~= attachment_number then
    replies[index] = {'moved', conn_id, {}}
  else
    -- Held under the server's former name, its current one, or none since it was presumed dead.
    if held[2] ~= SERVER then
      if held[2] then redis.call('SREM', P .. ':at:' .. held[2], conn_id) end
      redis.call('HSET', conn, 's', SERVER, 'k', kind)
      redis.call('ZREM', P .. ':due', conn_id)
      redis.call('SADD', P .. ':at:' .. SERVER, conn_id)
    end
    replies[index] = {'is-in', conn_id, joined_of(conn)}
  end
end
return replies
