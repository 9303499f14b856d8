-- Returns the connections of each user, by name.
local found = {}
for index, name in ipairs(list()) do found[index] = redis.call('HKEYS', P .. ':v:' .. name) end
return found
