-- Returns the channels of each connection, by id.
local found = {}
for index, conn_id in ipairs(list()) do found[index] = fields_marked(P .. ':n:' .. conn_id, '#') end
return found
