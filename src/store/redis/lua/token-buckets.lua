-- Limits messages with a token bucket for each user and channel: the time at which it is full.

-- A lost bucket is a full one, so the expiry of Redis does no harm if its clock jumps. Redis expires buckets this much
-- later than they are full.
local BUCKET_EXTRA_TTL = 60000
-- Sums of fractions are not exact.
local ROUNDING = 0.5

-- charges: name of the bucket and tokens, alternating. Returns the new times of the buckets, and for each charge whose
-- bucket has too few tokens, its index from 0 and how long to wait. Changes nothing.
local function plan_charges(interval, burst, charges)
  local full_at, refused = {}, {}
  for index = 1, #charges, 2 do
    local before = tonumber(redis.call('GET', P .. ':b:' .. charges[index]) or now)
    local full = math.max(before, now) + tonumber(charges[index + 1]) * interval
    local wait = full - now - burst * interval
    if wait >= ROUNDING then refused[#refused + 1] = {(index - 1) / 2, math.ceil(wait)} end
    full_at[charges[index]] = full
  end
  return full_at, refused
end

local function take_tokens(full_at)
  for name, full in pairs(full_at) do
    redis.call('SET', P .. ':b:' .. name, string.format('%.3f', full), 'PX', math.ceil(full - now) + BUCKET_EXTRA_TTL)
  end
end
