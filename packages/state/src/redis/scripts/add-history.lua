-- A[1] deployment, A[2] kind, A[3] the entry.
-- @returns 'id ms entry'.
local before = answered()
if before then return before end
return answer(putHistory(A[1], A[2], moment .. ' ' .. A[3]))
