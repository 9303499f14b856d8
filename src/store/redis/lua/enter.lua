-- A server comes to a Redis, for the first time or again. The one script that does not ask whether the epoch is right.
-- ARGV: the run of this Redis, an epoch in case a new one has to begin, the epoch and the newest number the server knows.
local run, fresh, epoch, known = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

-- Redis has taken away the root alone: what beats wrote down of it beside it is put back. Whatever was given since then, be
-- it numbers of events or of channels, is passed over.
local function restore_root()
  local spare = redis.call('HGETALL', P .. ':spare')
  if #spare == 0 then return end
  redis.call('HSET', P, unpack(spare))
  for _, counter in ipairs({'made', 'turns'}) do redis.call('HINCRBY', P, counter, LEAP) end
  redis.call('HSET', P, 'run', 'lost', 'notifying', redis.call('SCARD', P .. ':notify'))
  count_connections()
end

if redis.call('HEXISTS', P, 'epoch') == 0 then restore_root() end
local at = redis.call('HMGET', P, 'epoch', 'run', 'head', 'base')
local head = tonumber(at[3] or 0)
if not at[1] then
  redis.call('HSET', P, 'epoch', fresh, 'run', run, 'head', head, 'base', -LEAP)
  return {fresh, head}
end
if at[2] ~= run then
  -- Another process, or another machine: what was announced last may have been lost. No number is given twice.
  redis.call('HSET', P, 'run', run, 'base', head, 'head', head + LEAP)
  at[4] = head
  head = head + LEAP
end
local base = tonumber(at[4])
if epoch == at[1] and known > base and known < base + LEAP then
  -- This server has heard of events that Redis has lost: nobody can notify_server any more what others have missed.
  redis.call('HSET', P, 'epoch', fresh)
  for _, server in ipairs(redis.call('ZRANGE', P .. ':servers', 0, -1)) do
    redis.call('SPUBLISH', TOPICS .. ':s:' .. server, 'epoch')
  end
  return {fresh, head}
end
return {at[1], head}
