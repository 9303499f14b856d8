-- Returns a part of a channel's history: the messages, in the direction of reading, and whether there are more in this
-- direction. Returns nil for an unknown channel. after, before: numbers that messages are between (-1: no limit).
-- enough: how many bytes are enough.
local name, after, before = arg(), tonumber(arg()), tonumber(arg())
local is_backward, most, enough = arg() == '1', tonumber(arg()), tonumber(arg())
local settings = redis.call('HGET', P .. ':c:' .. name, 's')
if not settings then
  if is_lost('c', name) then note_lost('c', name) end
  return false
end

local source = history_source(name, settings)
local first = math.max(first_kept(source, ttl_of(settings)), index_after(source, after))
local last = (before < 0 and source.length or index_after(source, before - 1)) - 1

local function read_backward()
  local texts, size, least = {}, 0, math.max(first, last - most + 1)
  while last >= least and (#texts == 0 or size < enough) do
    local page = source.range(math.max(least, last - READ_AT_ONCE + 1), last)
    for index = #page, 1, -1 do
      texts[#texts + 1] = page[index]
      size = size + #page[index]
    end
    last = last - #page
  end
  return {texts, last >= first and 1 or 0}
end

if is_backward then return read_backward() end
local texts = {}
local through = read_events(texts, source, first, math.min(last, first + most - 1), enough)
return {texts, through < last and 1 or 0}
