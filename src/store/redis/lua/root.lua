-- KEYS[1]: the hash of the installation, whose name begins all other names and holds them in one slot.
local P = KEYS[1]
-- What topics begin with: databases of one Redis hear each other.
local TOPICS = DATABASE == 0 and P or P .. '/' .. DATABASE

