-- A[1] kind, A[2] name, A[3] the record.
-- @returns '1'.
call('HSET', P .. 'declarations', pair(A[1], A[2]), A[3])
announce('declaration', A[1] .. ':' .. A[2])
return '1'
