-- Returns 1 if one of these sessions is open.
for _, name in ipairs(list()) do
  if tonumber(redis.call('ZSCORE', SESSIONS, name) or 0) > now then return 1 end
end
return 0
