-- Runs: a hash each, and sorted sets in which all scores are 0, so that 'started id' orders them.
local function runPlace(id)
  local run = call('HMGET', P .. 'run:' .. id, 'status', 'started')
  if run[1] then return run[1], run[2] .. ' ' .. id end
end

local function removeRun(id)
  local status, place = runPlace(id)
  if not status then return false end
  call('ZREM', P .. 'runs', place)
  call('ZREM', P .. 'runs:' .. status, place)
  call('DEL', P .. 'run:' .. id)
  return true
end
