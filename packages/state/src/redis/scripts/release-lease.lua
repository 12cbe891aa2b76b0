-- A[1] name, A[2] token.
local token, holder = liveLease(A[1])
if token == A[2] then putLease(A[1], token, 0, holder) end
return 1
