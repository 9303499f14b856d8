-- Ends sessions.
for _, name in ipairs(list()) do redis.call('ZREM', SESSIONS, name) end
return 1
