-- A[1] owner, A[2] id.
-- @returns '1', or '0' when there was none.
local before = answered()
if before then return before end
removeEnded(A[1])
return answer(int(dropResponse(A[1], A[2])))
