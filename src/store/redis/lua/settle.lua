-- The answer to a request: kept for those who repeat it, and given to those who wait. size: what it takes of the bytes that
-- there are for all answers; 0: it is not kept.
local name, fingerprint, claim, answer, window = arg(), arg(), arg(), arg(), tonumber(arg())
local size, most = tonumber(arg()), tonumber(arg())
local key = P .. ':a:' .. name
-- By when they are forgotten: size and name of each.
local kept = P .. ':answers'

-- A script holds up everybody else.
local AT_ONCE = 500

local function forget(entry)
  local bytes, of = string.match(entry, '^(%d+):(.*)$')
  redis.call('ZREM', kept, entry)
  return of, redis.call('HINCRBY', P, 'answers', -bytes)
end

local function keep()
  redis.call('HSET', key, 'f', fingerprint, 'o', SERVER, 'a', answer)
  redis.call('PEXPIRE', key, window)
  if redis.call('ZADD', kept, now + window, size .. ':' .. name) == 1 then redis.call('HINCRBY', P, 'answers', size) end
  for _, entry in ipairs(redis.call('ZRANGE', kept, '-inf', now, 'BYSCORE', 'LIMIT', 0, AT_ONCE)) do forget(entry) end
  local total, forgotten = tonumber(redis.call('HGET', P, 'answers')), 0
  while total > most and forgotten < AT_ONCE do
    local oldest = redis.call('ZRANGE', kept, 0, 0, 'WITHSCORES')
    local of
    of, total = forget(oldest[1])
    -- One whose time is over is gone already, and its name may be in use again.
    if tonumber(oldest[2]) > now then redis.call('DEL', P .. ':a:' .. of) end
    forgotten = forgotten + 1
  end
end

-- Another server may have made a claim of its own meanwhile, because this one was taken for dead.
if redis.call('HGET', key, 'c') ~= claim then return 0 end
local waiting = marked(key, '@')
redis.call('DEL', key)
if size > 0 and window > 0 then keep() end
for _, server in ipairs(waiting) do tell(server, 'settled', name, answer) end
return 1
