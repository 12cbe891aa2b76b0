-- A[1] name.
-- @returns the earlier rows, newest first.
return call('LRANGE', P .. 'earlier:' .. A[1], 0, -1)
