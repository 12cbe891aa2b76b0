-- A[1] model, A[2] number.
-- @returns 'ms record', or nil.
return call('HGET', P .. 'versions:' .. A[1], A[2])
