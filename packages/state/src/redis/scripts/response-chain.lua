-- A[1] owner, A[2] id.
-- @returns the response and those that it continues: id, the id that it continues or '', JSON.
local found, seen, id = {}, {}, A[2]
while id ~= '' and not seen[id] do
  seen[id] = true
  local row = call('HMGET', responseKey(A[1], id), 'previous', 'value', 'ends')
  if not row[2] or tonumber(row[3]) <= now then break end
  found[#found + 1] = { id, row[1], row[2] }
  id = row[1]
end
return found
