-- This server is alive. Answers 1 if the others know it, the head, and the time. A server that was taken for dead has to
-- begin again, with another name: what it held is being let go of.
local begins = arg() == '1'
local known = redis.call('ZSCORE', P .. ':servers', SERVER)
if known or begins then redis.call('ZADD', P .. ':servers', now + LEASE, SERVER) end
return {known and 1 or 0, head(), now}
