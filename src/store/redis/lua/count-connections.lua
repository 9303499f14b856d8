-- Counts the users who are connected, and their connections, from the list of all users. It looks at each of them.
local function count_connections()
  local connected, connections = 0, 0
  for _, count in ipairs(redis.call('HVALS', P .. ':users')) do
    if tonumber(count) > 0 then connected, connections = connected + 1, connections + tonumber(count) end
  end
  redis.call('HSET', P, 'connected', connected, 'connections', connections)
end
