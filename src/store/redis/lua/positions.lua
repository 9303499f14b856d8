-- Finds places in lists of events. Requires events.lua.

-- A source is something that has events, oldest first: its length, the event at an index, those in a range.
local function list_source(key)
  return {
    length = redis.call('LLEN', key),
    at = function(index) return redis.call('LINDEX', key, index) end,
    range = function(from, to) return redis.call('LRANGE', key, from, to) end,
  }
end

-- Returns the index of the first event with a number above n; the length if there is none. Guesses by proportion, and
-- halves what is left every other time, in case the numbers are spread unevenly.
local function index_after(source, n)
  if source.length == 0 then return 0 end
  local low, high = 0, source.length - 1
  local low_n, high_n = number_of(source.at(low)), number_of(source.at(high))
  if low_n > n then return 0 end
  if high_n <= n then return source.length end
  local is_guess = true
  while high - low > 1 do
    local share = is_guess and (n - low_n) / (high_n - low_n) or 0.5
    local middle = math.min(math.max(low + math.floor(share * (high - low)), low + 1), high - 1)
    local middle_n = number_of(source.at(middle))
    if middle_n > n then high, high_n = middle, middle_n else low, low_n = middle, middle_n end
    is_guess = not is_guess
  end
  return high
end

-- Events that are read at once, first, and then if they are small. The next ones may be large.
local READ_AT_ONCE, MOST_READ_AT_ONCE = 16, 64

-- Appends the events from one index to another, until there are enough bytes, but at least one event. Returns the index
-- of the last one, and the bytes.
local function read_events(texts, source, from, to, enough)
  local size, count = 0, READ_AT_ONCE
  while from <= to and (size == 0 or size < enough) do
    local page = source.range(from, math.min(from + count - 1, to))
    for _, text in ipairs(page) do
      texts[#texts + 1] = text
      size = size + #text
    end
    from = from + #page
    count = math.min(math.max(math.floor((enough - size) / size * #texts / 2), 1), MOST_READ_AT_ONCE)
  end
  return from - 1, size
end

-- Returns when an event was published. Nil for events of older versions.
local function time_of(text)
  return tonumber(string.match(string.sub(text, -24), '\n(%d+)$'))
end

-- Returns the event with the time.
local function with_time(text, time)
  local lines = split_lines(text)
  for number = 6, 9 do lines[number] = lines[number] or '' end
  lines[10] = string.format('%.0f', time)
  return table.concat(lines, '\n')
end

-- Returns when the event at an index was published. One without a time counts as being as old as a later one that has a
-- time. Nil if there is none.
local function time_at(source, index)
  local step, last = 1, source.length - 1
  while index <= last do
    local time = time_of(source.at(index))
    if time or index == last then return time end
    index, step = math.min(index + step, last), step * 2
  end
end

-- Returns the index of the first event that is not too old; the length if there is none. ttl: milliseconds; 0: no limit.
local function first_kept(source, ttl)
  local function is_kept(index)
    local time = time_at(source, index)
    return time == nil or time + ttl > now
  end
  if ttl == 0 or source.length == 0 or is_kept(0) then return 0 end
  local low, high = 0, source.length
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    if is_kept(middle) then high = middle else low = middle end
  end
  return high
end
