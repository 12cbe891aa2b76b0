-- All tenants.
-- @returns per tenant {name, weight, maxRunning, maxQueued, jobs per second}; false where there is no limit.
local found = {}
for _, tenant in ipairs(call('SMEMBERS', P .. 'tenants')) do
  local values = call('HMGET', P .. 'tenant:' .. tenant, 'weight', 'maxRunning', 'maxQueued', 'rate')
  found[#found + 1] = { tenant, unpack(values) }
end
return found
