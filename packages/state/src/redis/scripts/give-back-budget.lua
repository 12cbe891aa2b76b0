-- Gives back the part of a taken amount that was not spent. Does nothing once the budget is removed.
-- A[1] budget, A[2] amount.
if answered() then return end
local taken, ends = budgetOf(A[1])
if ends then putBudget(A[1], math.max(0, taken - tonumber(A[2])), ends) end
answer('1')
