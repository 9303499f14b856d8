-- Returns channels by name, and their users if they are requested and not too many. newest: how many messages of each
-- history (-1: all). Of a long history, returns the first part of these, and the range of numbers of the others.
local with_users, newest, with_count, most_users = arg() == '1', tonumber(arg()), arg() == '1', tonumber(arg())
-- Messages of each channel, and bytes of all messages. At least one message of the first channel that has any.
local MOST_MESSAGES, MOST_BYTES = 200, 1048576
local bytes_left = MOST_BYTES
-- Histories of up to this size are read at once.
local SHORT = math.min(16, LONG_HISTORY)

-- The usual case: all messages are few, and none is too old.
local function short_history_of(name)
  local texts = redis.call('LRANGE', P .. ':h:' .. name, newest > 0 and -newest or 0, -1)
  for _, text in ipairs(texts) do bytes_left = bytes_left - #text end
  return texts
end

local function history_of(name, settings)
  local texts = {}
  if newest == 0 then return texts end
  if size_of(settings) <= SHORT and ttl_of(settings) == 0 and bytes_left > 0 then return short_history_of(name) end
  local source = histories().history_source(name, settings)
  local first = histories().first_kept(source, ttl_of(settings))
  if newest > 0 then first = math.max(first, source.length - newest) end
  if first >= source.length then return texts end
  local last, size = first - 1, 0
  if bytes_left > 0 then
    last, size = histories().read_events(texts, source, first, math.min(source.length, first + MOST_MESSAGES) - 1, bytes_left)
  end
  bytes_left = bytes_left - size
  if last == source.length - 1 then return texts end
  local after = #texts > 0 and number_of(texts[#texts]) or number_of(source.at(first)) - 1
  return texts, after, number_of(source.at(source.length - 1))
end

local found, users, seen, total = {}, {}, {}, 0
for _, name in ipairs(list()) do
  local fields = redis.call('HMGET', P .. ':c:' .. name, 'i', 's', 'a', 'n')
  if fields[1] then
    local members = with_users and redis.call('HKEYS', P .. ':m:' .. name) or {}
    -- Not nil: a reply ends there.
    local count = with_count and redis.call('HLEN', P .. ':m:' .. name) or -1
    found[#found + 1] = {name, fields[1], fields[2], fields[3], fields[4], members, count, history_of(name, fields[2])}
    total = total + #members
    if total <= most_users then
      for _, user in ipairs(members) do
        if not seen[user] then
          seen[user] = true
          users[#users + 1] = user_record(user)
        end
      end
    end
  end
end
return {found, users, total <= most_users and 1 or 0}
