-- Prolongs the leases of a worker.
-- ARGV[3] worker, [4] leaseMs, then the tokens.
-- @returns per token 'kept', 'preempt', 'cancel' or 'lost'.
seen(ARGV[3])
local tokens = { unpack(ARGV, 5) }
preloadLeased(tokens)
local states = {}
for index, token in ipairs(tokens) do
  local job = leased(token)
  if job and job.w == ARGV[3] then
    setIndex(P .. 'leases', token, int(now + tonumber(ARGV[4])))
    if job.dur ~= ARGV[4] then set(job, 'dur', ARGV[4]) end
    states[index] = job.sig or 'kept'
  else
    states[index] = call('GET', P .. 'cancelled:' .. token) == ARGV[3] and 'cancel' or 'lost'
  end
end
complete()
return states
