-- Opens a session, and ends those that are too old or too many.
local name, lifetime, most = arg(), tonumber(arg()), tonumber(arg())
redis.call('ZADD', SESSIONS, now + lifetime, name)
redis.call('ZREMRANGEBYSCORE', SESSIONS, '-inf', now)
redis.call('ZREMRANGEBYRANK', SESSIONS, 0, -most - 1)
redis.call('PEXPIRE', SESSIONS, lifetime + EXTRA_TTL)
return 1
