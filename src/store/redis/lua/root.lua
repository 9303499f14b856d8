-- KEYS[1]: the hash of the installation. All other keys begin with its name, so that a Cluster keeps them in one slot.
local P = KEYS[1]
-- Prefix of pub/sub topics. All databases of one Redis share pub/sub, so it contains the number of the database.
local TOPICS = DATABASE == 0 and P or P .. '/' .. DATABASE

