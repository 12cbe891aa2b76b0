-- A[1] partition, A[2] version, A[3] id of the call, A[4] rows, then key and value of each, then
-- the keys to remove.
-- @returns 1, or 0 when the version is another.
if call('HGET', P .. 'commits', A[1]) == A[3] then return 1 end
if versionOf(A[1]) ~= tonumber(A[2]) then return 0 end
local rows, keys = rowsOf(A[1]), keysOf(A[1])
local last = 4 + 2 * tonumber(A[4])
for i = 5, last, 2 do
  call('HSET', rows, A[i], A[i + 1])
  call('ZADD', keys, 0, A[i])
end
for i = last + 1, #A do
  call('HDEL', rows, A[i])
  call('ZREM', keys, A[i])
end
call('HSET', P .. 'versions', A[1], tonumber(A[2]) + 1)
call('HSET', P .. 'commits', A[1], A[3])
return 1
