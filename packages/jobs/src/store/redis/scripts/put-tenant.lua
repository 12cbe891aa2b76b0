-- Sets the weight and the limits of a tenant; '' is no limit.
-- ARGV[3] tenant, [4] weight, [5] maxRunning, [6] maxQueued, [7] jobs per second.
local key = P .. 'tenant:' .. ARGV[3]
call('SADD', P .. 'tenants', ARGV[3])
call('HSET', key, 'weight', ARGV[4])
call('HDEL', key, 'tokens', 'tokensAt')
for index, field in ipairs({ 'maxRunning', 'maxQueued', 'rate' }) do
  local limit = ARGV[4 + index]
  if limit == '' then call('HDEL', key, field) else call('HSET', key, field, limit) end
end
for _, queue in ipairs(call('HKEYS', P .. 'queues')) do notifyQueue(queue) end
complete()
return 1
