-- This server stops sending to an endpoint.
local key = endpoint_key(arg())
if redis.call('HGET', key, 'sender') == SERVER then redis.call('HDEL', key, 'sender') end
return 1
