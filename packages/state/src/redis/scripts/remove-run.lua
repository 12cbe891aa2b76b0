-- A[1] id.
-- @returns '1', or '0' when there was none.
local before = answered()
if before then return before end
if not removeRun(A[1]) then return answer('0') end
announce('run', A[1], nil, true)
return answer('1')
