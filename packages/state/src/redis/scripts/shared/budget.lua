-- Budgets: a key each, 'ends taken', which expires a minute after its period: the clock of a node may be behind.
local BUDGET_KEPT = 60000
-- @returns the amount that is taken of a budget that is kept, and the end of its period.
local function budgetOf(name)
  local ends, taken = string.match(call('GET', P .. 'budget:' .. name) or '', '^(%d+) (.+)$')
  if ends and tonumber(ends) + BUDGET_KEPT > now then return tonumber(taken), tonumber(ends) end
  return 0
end

local function putBudget(name, taken, ends)
  call('SET', P .. 'budget:' .. name, int(ends) .. ' ' .. int(taken), 'PX', int(ends + BUDGET_KEPT - now))
end
