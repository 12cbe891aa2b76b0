-- A[1] kind, A[2] name.
-- @returns 1, or 0 when there was none.
if call('HDEL', P .. 'declarations', pair(A[1], A[2])) == 0 then return 0 end
announce('declaration', A[1] .. ':' .. A[2], nil, true)
return 1
