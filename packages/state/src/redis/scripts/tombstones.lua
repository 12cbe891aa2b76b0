-- @returns {name, revision, …} of the removed deployments.
local all, removed = call('HGETALL', P .. 'revisions'), {}
for index = 1, #all, 2 do
  if call('HEXISTS', P .. 'deployments', all[index]) == 0 then
    removed[#removed + 1] = all[index]
    removed[#removed + 1] = all[index + 1]
  end
end
return removed
