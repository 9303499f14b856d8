-- Returns channels by name, and their users if they are requested and not too many.
local with_users, with_history, most_users = arg() == '1', arg() == '1', tonumber(arg())
local found, users, seen, total = {}, {}, {}, 0
for _, name in ipairs(list()) do
  local fields = redis.call('HMGET', P .. ':c:' .. name, 'i', 's', 'a', 'n')
  if fields[1] then
    local members = with_users and redis.call('HKEYS', P .. ':m:' .. name) or {}
    local history = with_history and redis.call('LRANGE', P .. ':h:' .. name, 0, -1) or {}
    found[#found + 1] = {name, fields[1], fields[2], fields[3], fields[4], members, history}
    total = total + #members
    if total <= most_users then
      for _, user in ipairs(members) do
        if not seen[user] then
          seen[user] = true
          users[#users + 1] = user_record(user)
        end
      end
    end
  end
end
return {found, users, total <= most_users and 1 or 0}
