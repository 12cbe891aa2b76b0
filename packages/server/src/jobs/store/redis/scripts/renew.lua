-- Prolongs the leases of a worker.
-- ARGV[3] worker, [4] leaseMs, then the tokens.
-- @returns per token 'kept', 'preempt' or 'lost'.
seen(ARGV[3])
local told = {}
for index = 5, #ARGV do
  local id = call('HGET', P .. 'tokens', ARGV[index])
  local worker, signal
  if id then worker, signal = unpack(call('HMGET', P .. 'job:' .. id, 'w', 'sig')) end
  if worker == ARGV[3] then
    call('ZADD', P .. 'leases', 'XX', int(now + tonumber(ARGV[4])), ARGV[index])
    call('HSET', P .. 'job:' .. id, 'dur', ARGV[4])
    told[#told + 1] = signal or 'kept'
  else
    told[#told + 1] = 'lost'
  end
end
return told
