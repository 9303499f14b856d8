-- How far each endpoint has read the queue of webhooks: a hash for each, and a sorted set of them with the time when a
-- server last asked for them.
local WEBHOOK_QUEUE = P .. ':webhook-queue'
local ENDPOINTS = P .. ':webhooks'
-- Milliseconds after which an endpoint that no server has in its settings any more is forgotten.
local FORGET_ENDPOINT = 86400000

local function endpoint_key(endpoint)
  return P .. ':webhook:' .. endpoint
end

-- Removes events that every endpoint has got.
local function trim_webhooks()
  local oldest
  for _, endpoint in ipairs(redis.call('ZRANGE', ENDPOINTS, '-inf', '(' .. (now - FORGET_ENDPOINT), 'BYSCORE')) do
    redis.call('DEL', endpoint_key(endpoint))
    redis.call('ZREM', ENDPOINTS, endpoint)
  end
  for _, endpoint in ipairs(redis.call('ZRANGE', ENDPOINTS, 0, -1)) do
    local at = tonumber(redis.call('HGET', endpoint_key(endpoint), 'at') or 0)
    oldest = math.min(oldest or at, at)
  end
  if not oldest then return end
  redis.call('XTRIM', WEBHOOK_QUEUE, 'MINID', string.format('%.0f', oldest + 1) .. '-0')
  local left = redis.call('XRANGE', WEBHOOK_QUEUE, '-', '+', 'COUNT', 1)[1]
  redis.call('HSET', P, 'toldFloor', left and left[2][4] or redis.call('HGET', P, 'toldBytes') or 0)
end
