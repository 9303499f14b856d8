-- Which users this server listens to, beside the channels, which have topics of their own.
for _, name in ipairs(list()) do redis.call('HSET', P .. ':u:' .. name, '@' .. SERVER, '') end
for _, name in ipairs(list()) do redis.call('HDEL', P .. ':u:' .. name, '@' .. SERVER) end
return 1
