-- The changes after a position.
-- A[1] epoch and A[2] entry of the position, A[3] limit.
-- @returns {{id, fields}, …}.
local key = P .. 'changes'
local replaced = 'The change ' .. A[1] .. ':' .. A[2] .. ' is not one of this store.'
if call('HGET', P .. 'meta', 'epoch') ~= A[1] then refuse('STORE_REPLACED', replaced) end
local sequence = tonumber(string.match(A[2], '^(%d+)%-%d+$'))
if not sequence then refuse('STORE_REPLACED', replaced) end
local here = sequence > 0 and call('XRANGE', key, A[2], A[2])[1]
if not here then
  local first = call('XRANGE', key, '-', '+', 'COUNT', 1)[1]
  local begins = first and tonumber(string.match(first[1], '^%d+')) or 1
  if sequence < begins - 1 then refuse('CHANGES_TRIMMED', 'The change feed begins after ' .. A[1] .. ':' .. A[2] .. '.') end
  -- The entry would have to be here, unless it is the one before the first.
  if sequence ~= begins - 1 then refuse('STORE_REPLACED', replaced) end
end
return call('XRANGE', key, '(' .. A[2], '+', 'COUNT', A[3])
