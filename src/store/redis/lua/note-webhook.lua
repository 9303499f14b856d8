-- Stores what the sender of an endpoint knows about it, as JSON. Returns 0 if another server sends to it now.
local endpoint, status = arg(), arg()
if redis.call('HGET', endpoint_key(endpoint), 'sender') ~= SERVER then return 0 end
redis.call('ZADD', ENDPOINTS, now, endpoint)
redis.call('HSET', endpoint_key(endpoint), 'status', status)
return 1
