-- Returns what an endpoint gets next: the number up to which it has got events, why it has to read the current state
-- (empty: it need not), how many events were dropped, the life of the store, and the events. Returns nil if another
-- server sends to it.
local endpoint, most, most_bytes = arg(), tonumber(arg()), tonumber(arg())
local key = endpoint_key(endpoint)
-- Events per reply of Redis: each may be as large as a message.
local AT_ONCE = 16

redis.call('ZADD', ENDPOINTS, now, endpoint)
local facts = redis.call('HMGET', key, 'sender', 'at', 'epoch', 'run', 'untold')
local root = redis.call('HMGET', P, 'run', 'told')
local run, told = root[1] or '', root[2] or '0'
if facts[1] ~= SERVER then
  if facts[1] and is_alive(facts[1]) then return false end
  redis.call('HSET', key, 'sender', SERVER)
end

local at, untold, reason = facts[2], tonumber(facts[5] or 0), ''
if not at or facts[3] ~= ARGV[3] then reason = 'started'
elseif facts[4] ~= run then reason = 'restarted'
elseif untold > 0 then reason = 'dropped' end
if not at then
  local oldest = redis.call('XRANGE', WEBHOOK_QUEUE, '-', '+', 'COUNT', 1)[1]
  at = oldest and string.format('%.0f', tonumber(string.match(oldest[1], '^%d+')) - 1) or told
  redis.call('HSET', key, 'at', at)
end

local events, bytes, from = {}, 0, at
repeat
  local page = redis.call('XRANGE', WEBHOOK_QUEUE, '(' .. from .. '-0', '+', 'COUNT', math.min(AT_ONCE, most - #events))
  for _, entry in ipairs(page) do
    from = string.match(entry[1], '^%d+')
    bytes = bytes + #entry[2][6]
    if #events > 0 and bytes > most_bytes then break end
    events[#events + 1] = {from, entry[2][2], entry[2][6]}
  end
until #page < AT_ONCE or #events >= most or bytes > most_bytes

-- Redis has evicted the queue.
if #events == 0 and tonumber(told) > tonumber(at) then
  at, reason = told, 'restarted'
  redis.call('HSET', key, 'at', at)
end
if #events == 0 and reason == '' then redis.call('SADD', P .. ':webhook-waiting', SERVER) end
return {at, reason, untold, run, events}
