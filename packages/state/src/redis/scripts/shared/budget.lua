-- Budgets: a key each, 'ends taken', which Redis forgets with its period.
-- @returns what is taken of a budget whose period has not ended, and its end.
local function budgetOf(name)
  local ends, taken = string.match(call('GET', P .. 'budget:' .. name) or '', '^(%d+) (.+)$')
  if ends and tonumber(ends) > now then return tonumber(taken), tonumber(ends) end
  return 0
end

local function putBudget(name, taken, ends)
  call('SET', P .. 'budget:' .. name, int(ends) .. ' ' .. int(taken), 'PX', int(ends - now))
end
