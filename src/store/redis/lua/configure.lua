-- Creates channels, or replaces all of their settings.
for _, requested in ipairs(requested_channels()) do
  local name, settings = requested[1], requested[3]
  channel(name, requested[2], settings)
  redis.call('HSET', P .. ':c:' .. name, 's', settings)
  note_settings(name, settings)
  local size = tonumber(string.match(settings, '%d+'))
  if size < 1 then redis.call('DEL', P .. ':h:' .. name)
  else redis.call('LTRIM', P .. ':h:' .. name, -size, -1) end
  touch_channel(name)
end
return 1
