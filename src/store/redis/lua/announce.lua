-- Numbers events, and announces them in a channel.

-- event: type, uuid, and rest (body and delivery).
local function assign_number(event)
  event.n = redis.call('HINCRBY', P, 'head', 1)
  event.text = string.format('%.0f', event.n) .. '\n' .. event.type .. '\n' .. event.uuid .. '\n' .. event.rest
end

-- The channel has to exist and have these settings.
local function announce_in(name, settings, event)
  assign_number(event)
  keep_history(P .. ':h:' .. name, settings, event)
  local capacity = has(settings, 'f') and CHANNEL_FRAMES or 0
  keep_frame(P .. ':f:' .. name, P .. ':c:' .. name, capacity, event)
  redis.call('SPUBLISH', TOPICS .. ':t:' .. name, event.text)
end
