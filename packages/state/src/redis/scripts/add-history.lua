-- A[1] deployment, A[2] kind, A[3] the entry.
-- @returns 'id ms entry'.
local before = answered()
if before then return before end
local id = int(nextNumber('history'))
local row = moment .. ' ' .. A[3]
local keys = historyKeys(A[1], A[2])
call('HSET', P .. 'history', id, row)
for _, key in ipairs(keys) do call('ZADD', key, id, id) end
for _, old in ipairs(call('ZRANGE', keys[4], 0, -HISTORY_PER_KIND - 1)) do removeHistory(old, keys) end
for _, old in ipairs(call('ZRANGE', keys[1], 0, -HISTORY_KEPT - 1)) do
  local entry = cjson.decode(string.match(call('HGET', P .. 'history', old), ' (.*)$'))
  removeHistory(old, historyKeys(entry.deployment, entry.kind))
end
announce('history', id)
return answer(id .. ' ' .. row)
