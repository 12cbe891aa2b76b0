-- @returns {record, time of its revocation or '', …}, in the order of their addition.
local found = {}
for _, id in ipairs(call('LRANGE', P .. 'keys:order', 0, -1)) do
  found[#found + 1] = call('HGET', P .. 'keys', id)
  found[#found + 1] = call('HGET', P .. 'keys:revoked', id) or ''
end
return found
