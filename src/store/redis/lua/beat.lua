-- Renews the lease of this server. Returns 1 if the other servers know it, the head, the installation's time, and the
-- calendar. A server that was presumed dead has to start again under another name: its connections are being released.
local begins, given = arg() == '1', tonumber(arg())
local calendar = given > 0 and given or time_of_redis()

-- Adds the time since the last beat of any server, for a server that has no estimate yet.
local function pass_time()
  for _, server in ipairs(redis.call('ZRANGE', P .. ':servers', 0, -1)) do
    if notify_server(server, 'probe', '', 0, '[]') > 0 then
      -- A live server keeps the time. Servers of older versions use Redis's clock and store only their leases.
      now = math.max(now, tonumber(redis.call('ZSCORE', P .. ':servers', server)) - LEASE)
      return
    end
  end
  local seen = tonumber(redis.call('HGET', P, 'seen') or 0)
  if seen > 0 then now = now + math.max(0, calendar - seen) end
end

if ESTIMATE == 0 then pass_time() end
redis.call('HSET', P, 'clock', now, 'seen', calendar)

-- Fields that cannot be reconstructed if Redis evicts the root.
local SPARE = {'epoch', 'head', 'base', 'made', 'turns', 'messages', 'deliveries', 'answers', 'forgotten', 'clock', 'seen', 'told', 'toldBytes', 'toldFloor'}
local spare = {}
for index, value in ipairs(redis.call('HMGET', P, unpack(SPARE))) do
  if value then
    spare[#spare + 1] = SPARE[index]
    spare[#spare + 1] = value
  end
end
redis.call('HSET', P .. ':spare', unpack(spare))
local known = redis.call('ZSCORE', P .. ':servers', SERVER)
if known or begins then redis.call('ZADD', P .. ':servers', now + LEASE, SERVER) end
return {known and 1 or 0, head(), now, calendar}
