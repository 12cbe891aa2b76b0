-- A[1] partition.
-- @returns 1, or 0 when there is none.
call('DEL', rowsOf(A[1]), keysOf(A[1]))
call('HDEL', P .. 'commits', A[1])
return call('HDEL', P .. 'versions', A[1])
