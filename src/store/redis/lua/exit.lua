-- This server ends. What it may still hold is let go of by the others.
redis.call('ZREM', P .. ':servers', SERVER)
if redis.call('SCARD', P .. ':at:' .. SERVER) > 0 then redis.call('SADD', P .. ':graves', SERVER) end
return 1
