-- The answer to a request: kept for those who repeat it, and given to those who wait.
local name, fingerprint, answer, window = arg(), arg(), arg(), tonumber(arg())
local key = P .. ':a:' .. name
local known = redis.call('HMGET', key, 'f', 'o')
local is_mine = known[1] == fingerprint and known[2] == SERVER
local waiting = {}
for _, field in ipairs(redis.call('HKEYS', key)) do
  if is_mine and string.sub(field, 1, 1) == '@' then waiting[#waiting + 1] = string.sub(field, 2) end
end
if not is_mine then return 0 end
redis.call('DEL', key)
if window > 0 then
  redis.call('HSET', key, 'f', fingerprint, 'o', SERVER, 'a', answer)
  redis.call('PEXPIRE', key, window)
end
for _, server in ipairs(waiting) do tell(server, 'settled', name, answer) end
return 1
