-- Replaces a run unless the stored one is newer.
-- A[1] id, A[2] status, A[3] started, A[4] updated, A[5] summary, A[6] epochs.
-- @returns the stored summary, or nil when the run is older than all that are kept.
local key = P .. 'run:' .. A[1]
local stored = call('HGET', key, 'updated')
if not stored or A[4] >= stored then
  removeRun(A[1])
  call('HSET', key, 'status', A[2], 'started', A[3], 'updated', A[4], 'summary', A[5], 'epochs', A[6])
  call('ZADD', P .. 'runs', 0, A[3] .. ' ' .. A[1])
  call('ZADD', P .. 'runs:' .. A[2], 0, A[3] .. ' ' .. A[1])
  for _, place in ipairs(call('ZRANGE', P .. 'runs', 0, -RUNS_KEPT - 1)) do
    removeRun(string.match(place, ' (.*)$'))
  end
  announce('run', A[1])
end
return call('HGET', key, 'summary')
