-- The answer to a request: kept for those who repeat it, and given to those who wait. size: what it takes of the bytes that
-- there are for all answers; 0: it is not kept.
local name, fingerprint, answer, window = arg(), arg(), arg(), tonumber(arg())
local size, most = tonumber(arg()), tonumber(arg())
local key = P .. ':a:' .. name
-- By when they are forgotten: size and name of each.
local kept = P .. ':answers'

local function forget(entry)
  local bytes, of = string.match(entry, '^(%d+):(.*)$')
  redis.call('ZREM', kept, entry)
  return of, redis.call('HINCRBY', P, 'answers', -bytes)
end

local function keep()
  redis.call('HSET', key, 'f', fingerprint, 'o', SERVER, 'a', answer)
  redis.call('PEXPIRE', key, window)
  for _, entry in ipairs(redis.call('ZRANGE', kept, '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)) do forget(entry) end
  if redis.call('ZADD', kept, now + window, size .. ':' .. name) == 0 then return end
  local total = redis.call('HINCRBY', P, 'answers', size)
  while total > most do
    local oldest
    oldest, total = forget(redis.call('ZRANGE', kept, 0, 0)[1])
    redis.call('DEL', P .. ':a:' .. oldest)
  end
end

local known = redis.call('HMGET', key, 'f', 'o')
if known[1] ~= fingerprint or known[2] ~= SERVER then return 0 end
local waiting = marked(key, '@')
redis.call('DEL', key)
if size > 0 and window > 0 then keep() end
for _, server in ipairs(waiting) do tell(server, 'settled', name, answer) end
return 1
