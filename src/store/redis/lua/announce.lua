-- Numbers events, and announces them in a channel.

-- event: type, uuid, and rest (body and delivery).
local function assign_number(event)
  event.n = redis.call('HINCRBY', P, 'head', 1)
  event.text = string.format('%.0f', event.n) .. '\n' .. event.type .. '\n' .. event.uuid .. '\n' .. event.rest
end

-- Returns the event with the time, see events.lua.
local time_lines
local function timed_text(event)
  time_lines = time_lines or '\n\n\n\n\n' .. string.format('%.0f', now)
  return event.text .. time_lines
end

-- The channel has to exist and have these settings. The history is kept separately: only posted events concern it.
local function announce_in(name, settings, event)
  assign_number(event)
  local ttl = ttl_of(settings)
  if ttl > 0 then
    event.kept = timed_text(event)
    redis.call('ZADD', P .. ':aging', 'NX', now + ttl, name)
  end
  local capacity = has(settings, 'f') and CHANNEL_FRAMES or 0
  keep_frame(P .. ':f:' .. name, P .. ':c:' .. name, capacity, event)
  redis.call('SPUBLISH', TOPICS .. ':t:' .. name, event.text)
end
