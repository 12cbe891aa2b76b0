-- A[1] partition, A[2] prefix, A[3] first key, A[4] limit.
-- @returns keys and values in turn.
local keys = call('ZRANGEBYLEX', keysOf(A[1]), '[' .. A[3], '[' .. A[2] .. '\255', 'LIMIT', 0, A[4])
local found = {}
for _, key in ipairs(keys) do
  found[#found + 1] = key
  found[#found + 1] = call('HGET', rowsOf(A[1]), key)
end
return found
