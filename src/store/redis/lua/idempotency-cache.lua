-- Cached answers to requests with an idempotency key.

-- Size and name of each answer, by expiry.
local ANSWERS = P .. ':answers'

-- Returns the total size of the remaining answers.
local function forget_answer(entry, deadline)
  local bytes, name = string.match(entry, '^(%d+):(.*)$')
  local key = P .. ':a:' .. name
  local own = redis.call('HGET', key, 'd')
  -- A newer request may use the name. Entries of older versions have no deadline; Redis expires them.
  if own and tonumber(own) == deadline or not own and deadline > now then redis.call('DEL', key) end
  redis.call('ZREM', ANSWERS, entry)
  return redis.call('HINCRBY', P, 'answers', -bytes)
end

-- Removes at most `most` expired answers. Returns how many.
local function forget_answers(most)
  local over = redis.call('ZRANGE', ANSWERS, '-inf', now, 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
  for index = 1, #over, 2 do forget_answer(over[index], tonumber(over[index + 1])) end
  return #over / 2
end
