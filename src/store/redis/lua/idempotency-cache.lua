-- Answers that are remembered.

-- By when they are forgotten: size and name of each.
local ANSWERS = P .. ':answers'

-- Answers how many bytes are left of all.
local function forget_answer(entry, deadline)
  local bytes, name = string.match(entry, '^(%d+):(.*)$')
  local key = P .. ':a:' .. name
  local own = redis.call('HGET', key, 'd')
  -- The name may be in use again. What older versions write has no deadline, and is gone by itself.
  if own and tonumber(own) == deadline or not own and deadline > now then redis.call('DEL', key) end
  redis.call('ZREM', ANSWERS, entry)
  return redis.call('HINCRBY', P, 'answers', -bytes)
end

-- Forgets what is over, at most so many at once; says how many.
local function forget_answers(most)
  local over = redis.call('ZRANGE', ANSWERS, '-inf', now, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  for index = 1, #over, 2 do forget_answer(over[index], tonumber(over[index + 1])) end
  return #over / 2
end
