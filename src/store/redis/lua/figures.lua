-- Returns the totals of the installation.
local counts = redis.call('HMGET', P, 'connected', 'connections', 'messages', 'deliveries')
for index = 1, 4 do counts[index] = counts[index] or 0 end
counts[5] = redis.call('HLEN', P .. ':users')
counts[6] = redis.call('ZCARD', P .. ':channels')
return counts
