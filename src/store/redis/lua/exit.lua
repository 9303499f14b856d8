-- Ends the lease of this server. The others release the connections that it still holds.
redis.call('ZREM', P .. ':servers', SERVER)
if redis.call('SCARD', P .. ':at:' .. SERVER) > 0 then redis.call('SADD', P .. ':graves', SERVER) end
return 1
