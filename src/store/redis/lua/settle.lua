-- Settles a claim: stores the answer for later repeats, and sends it to servers that wait. size: the bytes that count
-- towards the limit for all answers; 0: do not store it.
local name, fingerprint, claim, answer, window = arg(), arg(), arg(), arg(), tonumber(arg())
local size, most = tonumber(arg()), tonumber(arg())
local key = P .. ':a:' .. name

-- Limit for one script, because a script blocks Redis.
local AT_ONCE = 500

local function keep()
  redis.call('HSET', key, 'f', fingerprint, 'o', SERVER, 'a', answer, 'd', now + window)
  redis.call('PEXPIRE', key, window + EXTRA_TTL)
  local is_new = redis.call('ZADD', ANSWERS, now + window, size .. ':' .. name) == 1
  -- The first answer of a new list: nothing else counts.
  if redis.call('ZCARD', ANSWERS) == 1 then redis.call('HSET', P, 'answers', size)
  elseif is_new then redis.call('HINCRBY', P, 'answers', size) end
  forget_answers(AT_ONCE)
  local total, forgotten = tonumber(redis.call('HGET', P, 'answers')), 0
  while total > most and forgotten < AT_ONCE do
    local oldest = redis.call('ZRANGE', ANSWERS, 0, 0, 'WITHSCORES')
    if not oldest[1] then break end
    total = forget_answer(oldest[1], tonumber(oldest[2]))
    forgotten = forgotten + 1
  end
end

-- Another server may have claimed the key meanwhile, because this one was presumed dead.
if redis.call('HGET', key, 'c') ~= claim then return 0 end
local waiting = fields_marked(key, '@')
redis.call('DEL', key)
if size > 0 and window > 0 then keep() end
for _, server in ipairs(waiting) do notify_server(server, 'settled', name, answer) end
return 1
