-- Takes a block of what is left of a budget.
-- A[1] budget, A[2] limit, A[3] wanted, A[4] least, A[5] end of the period in ms.
-- @returns the amount, '0' when less than the least is left or the budget is removed.
local earlier = answered()
if earlier then return earlier end
local taken, ends = budgetOf(A[1]), tonumber(A[5])
local amount = math.min(tonumber(A[3]), tonumber(A[2]) - taken)
if amount < tonumber(A[4]) or amount <= 0 or ends + BUDGET_KEPT <= now then return '0' end
putBudget(A[1], taken + amount, ends)
return answer(int(amount))
