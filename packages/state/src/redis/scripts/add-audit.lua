-- A[1] the entry.
-- @returns its id.
local before = answered()
if before then return before end
local id = int(nextNumber('audit'))
call('LPUSH', P .. 'audit', id .. ' ' .. moment .. ' ' .. A[1])
call('LTRIM', P .. 'audit', 0, AUDIT_KEPT - 1)
return answer(id)
