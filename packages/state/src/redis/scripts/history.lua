-- A[1] deployment or '', A[2] kind or '', A[3] limit.
-- @returns {'id ms entry', …}, newest first.
local keys = historyKeys(A[1], A[2])
local key = A[1] == '' and (A[2] == '' and keys[1] or keys[3]) or (A[2] == '' and keys[2] or keys[4])
return historyRows(call('ZREVRANGEBYSCORE', key, '+inf', '-inf', 'LIMIT', 0, A[3]))
