-- The open sessions of the admin pages, by when they end. Each run of Redis has a key of its own: a Redis that comes back with
-- an older copy, or a replica that takes over, does not know which of the sessions it finds have ended since.
local SESSIONS = P .. ':admin:' .. ARGV[3] .. ':' .. (redis.call('HGET', P, 'base') or '')
