-- Gives back what was taken of a budget and not spent. Does nothing once it is forgotten.
-- A[1] budget, A[2] amount.
if answered() then return end
local taken, ends = budgetOf(A[1])
if ends then putBudget(A[1], math.max(0, taken - tonumber(A[2])), ends) end
answer('1')
