-- An endpoint has got all events up to a number, and was told of this number of dropped events. Returns 0 if another
-- server sends to it now.
local endpoint, through, told_drops, run = arg(), tonumber(arg()), tonumber(arg()), arg()
local key = endpoint_key(endpoint)
local facts = redis.call('HMGET', key, 'sender', 'at', 'untold')
if facts[1] ~= SERVER then return 0 end
local at = math.max(through, tonumber(facts[2] or 0))
local untold = math.max(0, tonumber(facts[3] or 0) - told_drops)
redis.call('HSET', key, 'at', string.format('%.0f', at), 'untold', untold, 'epoch', ARGV[3], 'run', run)
trim_webhooks()
return 1
