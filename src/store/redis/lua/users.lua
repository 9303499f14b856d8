-- Returns users by name, with their connections if requested.
local with_connections = arg() == '1'
local found = {}
for _, name in ipairs(list()) do
  local record = user_record(name)
  if with_connections then record[3] = redis.call('HKEYS', P .. ':v:' .. name) end
  found[#found + 1] = record
end
return found
