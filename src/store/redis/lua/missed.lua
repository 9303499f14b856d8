-- Reads what was announced on topics since a number. Arguments: how many bytes are enough (0: read all), the number of
-- topics, and for each: c or u, name, number. Returns the head, the events of each topic that has any (its index, then
-- the events), the indices of topics with a gap, the number of the newest lost event of each of these, and the number
-- up to which everything was read.
local enough = tonumber(arg())
-- Of the first read of a list. Each further one is twice as long.
local FIRST_READ = 4

-- Returns the index of the first frame after a number. There is one.
local function index_after(key, length, after)
  local low, high = 0, length - 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if number_of(redis.call('LINDEX', key, middle)) > after then high = middle else low = middle + 1 end
  end
  return low
end

-- Returns the number of the newest frame that is too old; 0 if there is none.
local function newest_old(key, ttl)
  if ttl == 0 then return 0 end
  local source = positions().list_source(key)
  local first = positions().first_kept(source, ttl)
  return first > 0 and number_of(source.at(first - 1)) or 0
end

-- Appends the frames after a number, or as many of the oldest as are enough. Returns whether there are more.
local function add_frames(events, key, after)
  local length, size = redis.call('LLEN', key), 0
  local index, count = index_after(key, length, after), enough > 0 and FIRST_READ or length
  while index < length and (enough == 0 or size < enough) do
    for _, text in ipairs(redis.call('LRANGE', key, index, index + count - 1)) do
      events[#events + 1] = text
      size = size + #text
    end
    index, count = index + count, count * 2
  end
  return index < length
end

-- Returns the number of the last event that is needed to have enough of those up to a number.
local function last_needed(found, through)
  local sizes, numbers, size = {}, {}, 0
  for _, events in ipairs(found) do
    for place = 2, #events do
      local n = number_of(events[place])
      if not sizes[n] then numbers[#numbers + 1] = n end
      sizes[n] = #events[place]
    end
  end
  table.sort(numbers)
  for _, n in ipairs(numbers) do
    size = size + sizes[n]
    if n >= through or size >= enough then return math.min(n, through) end
  end
  return through
end

-- Removes the events after a number.
local function cut(found, through)
  for _, events in ipairs(found) do
    while #events > 1 and number_of(events[#events]) > through do events[#events] = nil end
  end
end

local found, gaps, newest_lost, through = {}, {}, {}, head()
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
  -- Frames that are too old count as lost. The next sweep removes them.
  local old_through = newest_old(key, kind == 'c' and facts[3] and ttl_of(facts[3]) or 0)
  lost = math.max(lost, old_through)
  if after < lost then
    gaps[#gaps + 1] = index - 1
    newest_lost[#newest_lost + 1] = lost
  end
  local begin = math.max(after, old_through)
  if newest and number_of(newest) > begin then
    local events = {index - 1}
    if add_frames(events, key, begin) then through = math.min(through, number_of(events[#events])) end
    found[#found + 1] = events
  end
end
if enough > 0 and #found > 0 then
  through = last_needed(found, through)
  cut(found, through)
end
return {head(), found, gaps, newest_lost, through}
