-- Returns the connections and the users of each channel, by name. -1 connections: there is no such channel.
local counts = {}
for _, name in ipairs(list()) do
  local connections = redis.call('HGET', P .. ':c:' .. name, 'n')
  counts[#counts + 1] = tonumber(connections or -1)
  counts[#counts + 1] = connections and redis.call('HLEN', P .. ':m:' .. name) or 0
end
return counts
