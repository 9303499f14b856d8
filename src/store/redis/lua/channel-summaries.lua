-- Returns a page of all channels, by creation, and where the next page begins.
local from, most = arg(), arg()
local page = redis.call('ZRANGE', P .. ':channels', '(' .. from, '+inf', 'BYSCORE', 'LIMIT', 0, most, 'WITHSCORES')
local found = {}
for index = 1, #page, 2 do
  local name = page[index]
  local fields = redis.call('HMGET', P .. ':c:' .. name, 'n', 'a')
  local members = redis.call('HLEN', P .. ':m:' .. name)
  local history = redis.call('LLEN', P .. ':h:' .. name) + redis.call('ZCARD', P .. ':l:' .. name)
  found[#found + 1] = {name, fields[1], members, history, fields[2]}
end
return {page[#page] or from, found}
