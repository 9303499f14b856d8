-- This server has lost touch, or was taken for dead, and is back. What it held in its latest turn is its own; replies of
-- each connection which channels it is in, or that it is another's or nobody's by now.
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
    -- By the name that it had, by its new one, or by none since it was taken for dead.
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
