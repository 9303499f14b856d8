-- A request that may have been sent before: the first asks for the right to do it, the others wait for its answer.
-- Fields of a claim: f fingerprint, o the server that does it, c which claim it is, a its answer, d until when it holds;
-- @<server> for servers that wait.
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
