-- A[1] kind, A[2] name, A[3] the record.
-- @returns '1', or '0' when there is one of this kind and name.
local before = answered()
if before then return before end
if call('HSETNX', P .. 'declarations', pair(A[1], A[2]), A[3]) == 0 then return answer('0') end
announce('declaration', A[1] .. ':' .. A[2])
return answer('1')
