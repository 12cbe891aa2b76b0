-- A[1] name, A[2] holder, A[3] ttl in ms.
-- @returns the token, or 0 while another holds it.
local _, holder = liveLease(A[1])
if holder and holder ~= A[2] then return 0 end
local token = nextNumber('lease')
putLease(A[1], int(token), int(now + tonumber(A[3])), A[2])
return token
