-- A[1] the entry.
-- @returns its id.
local before = answered()
if before then return before end
return answer(putAudit(moment .. ' ' .. A[1]))
