-- The open sessions of the admin panel, by expiry. Each run of Redis has a separate key: after a restart from an older
-- copy, or a failover to a replica, Redis does not know which of the sessions it finds have ended since.
local SESSIONS = P .. ':admin:' .. ARGV[3] .. ':' .. (redis.call('HGET', P, 'base') or '')
