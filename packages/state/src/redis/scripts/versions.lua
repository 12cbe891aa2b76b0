-- A[1] model, or '' for all.
-- @returns {model, {number, 'ms record', …}, …}.
local models = A[1] ~= '' and { A[1] } or call('HKEYS', P .. 'numbers')
local found = {}
for _, model in ipairs(models) do
  found[#found + 1] = model
  found[#found + 1] = call('HGETALL', P .. 'versions:' .. model)
end
return found
