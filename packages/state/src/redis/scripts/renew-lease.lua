-- A[1] name, A[2] token, A[3] ttl in ms.
-- @returns 1, or 0 when it has ended.
local token, holder = liveLease(A[1])
if token ~= A[2] then return 0 end
putLease(A[1], token, int(now + tonumber(A[3])), holder)
return 1
