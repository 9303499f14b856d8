-- Claims an idempotency key. The first request is executed; repeats wait for its answer.
-- Fields of a claim: f fingerprint, o server that executes the request, c id of the claim, a answer, d deadline,
-- @<server> for each server that waits.
local key, fingerprint, claim, window = P .. ':a:' .. arg(), arg(), arg(), tonumber(arg())
local known = redis.call('HMGET', key, 'f', 'o', 'a', 'd')
if known[4] and tonumber(known[4]) <= now then known = {} end
if known[1] and known[1] ~= fingerprint then return {'reused'} end
if known[3] then return {'answered', known[3]} end
if known[1] and (known[2] == SERVER or is_alive(known[2])) then
  redis.call('HSET', key, '@' .. SERVER, '')
  return {'pending', known[2]}
end
redis.call('DEL', key)
redis.call('HSET', key, 'f', fingerprint, 'o', SERVER, 'c', claim, 'd', now + window)
redis.call('PEXPIRE', key, window + EXTRA_TTL)
return {'first'}
