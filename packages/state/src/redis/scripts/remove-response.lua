-- A[1] owner, A[2] id.
-- @returns 1, or 0 when there was none.
forgetEnded(A[1])
return dropResponse(A[1], A[2])
