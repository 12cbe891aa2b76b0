-- A[1] limit, at least 1.
-- @returns {'id ms entry', …}, newest first.
return call('LRANGE', P .. 'audit', 0, A[1] - 1)
