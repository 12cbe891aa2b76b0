-- One call on the rows of a federation.
-- Every call has KEYS[1], the prefix of all keys, with the hash tag that keeps them on one node. A
-- script's own arguments are in A.
-- A partition is a hash of its rows, a sorted set of their keys with score 0, and in the hash
-- `versions` its version; in `commits` the id of the call that wrote it.
local P, A, call

local function begin(keys, arguments)
  P, A, call = keys[1], arguments, redis.call
end

local function versionOf(partition) return tonumber(call('HGET', P .. 'versions', partition) or '0') end
local function rowsOf(partition) return P .. 'rows:' .. partition end
local function keysOf(partition) return P .. 'keys:' .. partition end
