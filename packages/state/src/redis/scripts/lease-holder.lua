-- A[1] name.
-- @returns its holder, or nil.
local _, holder = liveLease(A[1])
return holder
