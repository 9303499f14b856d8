-- The state of a user: one field for each key. Key and value are JSON; the key includes its quotes.

-- Returns the fields of a user's hash that are state, by key.
local function state_of(record)
  local state = {}
  for index = 1, #record, 2 do
    if string.byte(record[index]) == 34 then state[record[index]] = record[index + 1] end
  end
  return state
end

local function is_too_large(state)
  local bytes = 2
  for key, value in pairs(state) do
    bytes = bytes + #key + #value + (bytes > 2 and 2 or 1)
  end
  return bytes > MAX_STATE_BYTES
end

-- Merges keys and values into a state. Returns those that changed. Null for a key that does not exist changes nothing.
local function merge_state(state, given)
  local changed = {}
  for index = 1, #given, 2 do
    local key, value = given[index], given[index + 1]
    if (state[key] or 'null') ~= value then
      state[key] = value
      changed[#changed + 1] = key
      changed[#changed + 1] = value
    end
  end
  return changed
end

local function write_state(key, changed)
  for index = 1, #changed, 2 do redis.call('HSET', key, changed[index], changed[index + 1]) end
end
