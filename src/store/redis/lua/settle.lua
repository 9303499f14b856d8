-- The answer to a request: kept for those who repeat it, and given to those who wait.
local name, fingerprint, answer, window = arg(), arg(), arg(), tonumber(arg())
local key = P .. ':a:' .. name
local known = redis.call('HMGET', key, 'f', 'o')
if known[1] ~= fingerprint or known[2] ~= SERVER then return 0 end
local waiting = marked(key, '@')
redis.call('DEL', key)
if window > 0 then
  redis.call('HSET', key, 'f', fingerprint, 'o', SERVER, 'a', answer)
  redis.call('PEXPIRE', key, window)
end
for _, server in ipairs(waiting) do tell(server, 'settled', name, answer) end
return 1
