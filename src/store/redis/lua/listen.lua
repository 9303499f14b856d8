-- Starts and stops listening to users. Channels are not listed: they have pub/sub topics.
for _, name in ipairs(list()) do redis.call('HSET', P .. ':u:' .. name, '@' .. SERVER, '') end
for _, name in ipairs(list()) do redis.call('HDEL', P .. ':u:' .. name, '@' .. SERVER) end
return 1
