-- A[1] deployment or '', A[2] kind or '', A[3] limit, A[4] only entries with a smaller id, or ''.
-- @returns {'id ms entry', …}, newest first.
local keys = historyKeys(A[1], A[2])
local key = A[1] == '' and (A[2] == '' and keys[1] or keys[3]) or (A[2] == '' and keys[2] or keys[4])
return historyRows(call('ZREVRANGEBYSCORE', key, A[4] == '' and '+inf' or '(' .. A[4], '-inf', 'LIMIT', 0, A[3]))
