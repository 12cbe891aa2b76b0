-- A[1] id, A[2] the record.
-- @returns '1', or '0' when the id is taken.
local before = answered()
if before then return before end
if call('HSETNX', P .. 'keys', A[1], A[2]) == 0 then return answer('0') end
call('RPUSH', P .. 'keys:order', A[1])
announce('key', A[1])
return answer('1')
