-- A[1] budget.
-- @returns what is taken of it.
return int((budgetOf(A[1])))
