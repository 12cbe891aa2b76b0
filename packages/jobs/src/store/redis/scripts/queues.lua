-- All queues.
-- @returns per queue {name, mode, oldest ready at or '', blocked, ready, running, succeeded, failed, cancelled, dead,
--   outcome, attempts, outcome, attempts, …}.
local found = {}
local flat = call('HGETALL', P .. 'queues')
for index = 1, #flat, 2 do
  local queue = flat[index]
  local row = { queue, flat[index + 1], call('ZRANGE', P .. 'ready:' .. queue, 0, 0, 'WITHSCORES')[2] or '' }
  for _, state in ipairs({ 'blocked', 'ready', 'running', 'succeeded', 'failed', 'cancelled', 'dead' }) do
    row[#row + 1] = call('ZCARD', stateKey(queue, state))
  end
  for _, each in ipairs(call('HGETALL', P .. 'outcomes:' .. queue)) do row[#row + 1] = each end
  found[#found + 1] = row
end
return found
