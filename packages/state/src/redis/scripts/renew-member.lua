-- A[1] incarnation, A[2] info, A[3] leaseMs, A[4] newest schema that it reads.
-- @returns 1, or 0 when its lease had ended.
removeEndedMembers()
local order, joined = string.match(call('HGET', P .. 'members', A[1]) or '', '^(%d+) (%d+) ')
if not order then return 0 end
putMember(A[1], order, joined, A[4], A[2], A[3])
return 1
