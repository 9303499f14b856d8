-- Counts connected users and their connections. Reads the whole list of users.
local function count_connections()
  local connected, connections = 0, 0
  for _, count in ipairs(redis.call('HVALS', P .. ':users')) do
    if tonumber(count) > 0 then connected, connections = connected + 1, connections + tonumber(count) end
  end
  redis.call('HSET', P, 'connected', connected, 'connections', connections)
end
