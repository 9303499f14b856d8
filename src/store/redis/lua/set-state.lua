-- Sets keys of a user's state.
local name, has_keys, public_keys = arg(), arg() == '1', arg()
local given = list()
local user = P .. ':u:' .. name
if redis.call('HEXISTS', user, 'i') == 0 then
  if is_lost('u', name) then note_lost('u', name) end
  return false
end
local state = state_of(redis.call('HGETALL', user))
local changed = merge_state(state, given)
if is_too_large(state) then return 'state-too-large' end
write_state(user, changed)
if has_keys then redis.call('HSET', user, 'k', public_keys) end
local counted = tonumber(redis.call('HGET', P .. ':users', name) or 0)
if counted == 0 then
  redis.call('ZADD', P .. ':idle:u', now + GC_USERS, name)
end

if #changed == 0 then return {user_record(name), changed} end

-- Finds the channels to notify by the smaller set: the connections of the user, or all channels with notify_state.
local notify, seen = {}, {}
local function note(channel)
  if seen[channel] then return end
  seen[channel] = true
  notify[#notify + 1] = channel
end
local connections = redis.call('HLEN', P .. ':v:' .. name)
local notifying = redis.call('SCARD', P .. ':notify')
local are_all = notifying == tonumber(redis.call('HGET', P, 'notifying') or notifying)
-- If Redis has evicted one of the two, uses the other.
if are_all and notifying > 0 and (notifying < connections or connections < counted) then
  for _, channel in ipairs(redis.call('SMEMBERS', P .. ':notify')) do
    if redis.call('HEXISTS', P .. ':m:' .. channel, name) == 1 then note(channel) end
  end
elseif not are_all or notifying > 0 then
  for _, conn_id in ipairs(redis.call('HKEYS', P .. ':v:' .. name)) do
    for _, channel in ipairs(channels_of(P .. ':n:' .. conn_id)) do
      if has(redis.call('HGET', P .. ':c:' .. channel, 's'), 's') then note(channel) end
    end
  end
end
announce_state(name, changed, sort_by_creation(notify))
return {user_record(name), changed}
