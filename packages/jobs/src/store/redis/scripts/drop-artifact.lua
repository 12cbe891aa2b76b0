-- Drops an artifact that is gone.
-- ARGV[3] digest.
-- @returns tenant, bytes, tenant, bytes, … of those that held it.
local dropped = {}
for _, tenant in ipairs(call('HKEYS', P .. 'held-bytes')) do
  local bytes = call('HGET', P .. 'holdings:' .. tenant, ARGV[3])
  if bytes then
    call('HDEL', P .. 'holdings:' .. tenant, ARGV[3])
    if call('HINCRBY', P .. 'held-bytes', tenant, -tonumber(bytes)) <= 0 and call('EXISTS', P .. 'holdings:' .. tenant) == 0 then
      call('HDEL', P .. 'held-bytes', tenant)
    end
    dropped[#dropped + 1] = tenant
    dropped[#dropped + 1] = bytes
  end
end
return dropped
