-- A[1] id, A[2] limit.
-- @returns {'id ms entry', …}, oldest first.
return historyRows(call('ZRANGEBYSCORE', P .. 'history:all', '(' .. A[1], '+inf', 'LIMIT', 0, A[2]))
