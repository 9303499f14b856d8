-- Makes channels, or gives them these settings whole.
for _, wanted in ipairs(wanted_channels()) do
  local name, settings = wanted[1], wanted[3]
  channel(name, wanted[2], settings)
  redis.call('HSET', P .. ':c:' .. name, 's', settings)
  note_settings(name, settings)
  local size = tonumber(string.match(settings, '%d+'))
  if size < 1 then redis.call('DEL', P .. ':h:' .. name)
  else redis.call('LTRIM', P .. ':h:' .. name, -size, -1) end
  touch_channel(name)
end
return 1
