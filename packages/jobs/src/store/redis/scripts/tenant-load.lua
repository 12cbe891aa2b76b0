-- What a tenant has in the store.
-- ARGV[3] tenant.
-- @returns {queued, running, maxQueued or false}.
local values = call('HMGET', P .. 'tenant:' .. ARGV[3], 'queued', 'running', 'maxQueued')
return { values[1] or '0', values[2] or '0', values[3] }
