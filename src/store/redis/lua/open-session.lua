-- Opens a session. Ends sessions that have expired, and the oldest ones above the limit.
local name, lifetime, most = arg(), tonumber(arg()), tonumber(arg())
redis.call('ZADD', SESSIONS, now + lifetime, name)
redis.call('ZREMRANGEBYSCORE', SESSIONS, '-inf', now)
redis.call('ZREMRANGEBYRANK', SESSIONS, 0, -most - 1)
redis.call('PEXPIRE', SESSIONS, lifetime + EXTRA_TTL)
return 1
