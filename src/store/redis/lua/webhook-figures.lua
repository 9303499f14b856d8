-- Returns for each endpoint: events that it has not got, events that were dropped, and its status.
local told = tonumber(redis.call('HGET', P, 'told') or 0)
local length = redis.call('XLEN', WEBHOOK_QUEUE)
local figures = {}
for _, endpoint in ipairs(list()) do
  local facts = redis.call('HMGET', endpoint_key(endpoint), 'at', 'dropped', 'status')
  local queued = facts[1] and math.max(0, math.min(length, told - tonumber(facts[1]))) or 0
  figures[#figures + 1] = {queued, tonumber(facts[2] or 0), facts[3] or ''}
end
return figures
