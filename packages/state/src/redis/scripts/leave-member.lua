-- A[1] incarnation.
removeMember(A[1])
return 1
