-- Reads what was announced on topics since a number. For each topic: c or u, name, number. Returns the head, the events
-- of each topic that has any (its index, then the events), the indices of topics with a gap, and the number of the
-- newest lost event of each of these.
local found, gaps, newest_lost = {}, {}, {}
for index = 1, tonumber(arg()) do
  local kind, name, after = arg(), arg(), tonumber(arg())
  local key = P .. (kind == 'c' and ':f:' or ':g:') .. name
  local owner = P .. ':' .. kind .. ':' .. name
  local facts = redis.call('HMGET', owner, 'l', 'f', kind == 'c' and 's' or 'i')
  local lost, newest = tonumber(facts[1] or 0), redis.call('LINDEX', key, -1)
  if not facts[3] and is_lost(kind, name) then
    lost = head()
    note_lost(kind, name)
  elseif facts[2] and not newest then
    -- Redis has evicted the frames.
    lost = head()
    redis.call('HSET', owner, 'l', lost)
    redis.call('HDEL', owner, 'f')
  end
  if after < lost then
    gaps[#gaps + 1] = index - 1
    newest_lost[#newest_lost + 1] = lost
  end
  if newest and number_of(newest) > after then
    local events = {index - 1}
    for _, text in ipairs(redis.call('LRANGE', key, 0, -1)) do
      if number_of(text) > after then events[#events + 1] = text end
    end
    found[#found + 1] = events
  end
end
return {head(), found, gaps, newest_lost}
