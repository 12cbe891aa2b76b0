-- A[1] partition, A[2…] keys.
-- @returns version and values.
local values = {}
for i = 2, #A do values[i - 1] = call('HGET', rowsOf(A[1]), A[i]) end
return { versionOf(A[1]), values }
