-- Registers a server that connects to a Redis, for the first time or again. The only script that does not check the
-- epoch.
-- ARGV: the run id of this Redis, a new epoch in case one has to begin, the epoch and the newest number the server
-- knows.
local run, fresh, epoch, known = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

-- The claim of an import, see import.ts.
if redis.call('TYPE', P).ok == 'string' then
  return redis.error_reply('IMPORTING the import into this installation has not ended')
end

-- Redis has evicted only the root: restores it from the copy that beats keep. Counters skip ahead, because numbers of
-- events, channels or attachments may have been assigned since that copy.
local function restore_root()
  local spare = redis.call('HGETALL', P .. ':spare')
  if #spare == 0 then return end
  redis.call('HSET', P, unpack(spare))
  for _, counter in ipairs({'made', 'turns', 'told'}) do redis.call('HINCRBY', P, counter, LEAP) end
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
  -- Another process or machine: the last announcements may be lost. Skips numbers, so that none is assigned twice.
  redis.call('HSET', P, 'run', run, 'base', head, 'head', head + LEAP)
  redis.call('HINCRBY', P, 'told', LEAP)
  at[4] = head
  head = head + LEAP
end
local base = tonumber(at[4])
if epoch == at[1] and known > base and known < base + LEAP then
  -- This server received events that Redis has lost. Nobody can know any more what other servers missed.
  redis.call('HSET', P, 'epoch', fresh)
  for _, server in ipairs(redis.call('ZRANGE', P .. ':servers', 0, -1)) do
    redis.call('SPUBLISH', TOPICS .. ':s:' .. server, 'epoch')
  end
  return {fresh, head}
end
return {at[1], head}
