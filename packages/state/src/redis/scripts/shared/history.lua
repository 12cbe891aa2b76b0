-- History: a hash, id -> 'ms entry', and four sorted sets of ids.
local function historyKeys(deployment, kind)
  return {
    P .. 'history:all', P .. 'history:deployment:' .. deployment, P .. 'history:kind:' .. kind,
    P .. 'history:both:' .. pair(deployment, kind),
  }
end

local function removeHistory(id, keys)
  for _, key in ipairs(keys) do call('ZREM', key, id) end
  call('HDEL', P .. 'history', id)
end

-- Adds an entry and drops the oldest ones. @returns 'id ms entry'.
local function putHistory(deployment, kind, row)
  local id = int(nextNumber('history'))
  local keys = historyKeys(deployment, kind)
  call('HSET', P .. 'history', id, row)
  for _, key in ipairs(keys) do call('ZADD', key, id, id) end
  for _, old in ipairs(call('ZRANGE', keys[4], 0, -HISTORY_PER_KIND - 1)) do removeHistory(old, keys) end
  for _, old in ipairs(call('ZRANGE', keys[1], 0, -HISTORY_KEPT - 1)) do
    local entry = cjson.decode(string.match(call('HGET', P .. 'history', old), ' (.*)$'))
    removeHistory(old, historyKeys(entry.deployment, entry.kind))
  end
  announce('history', id)
  return id .. ' ' .. row
end

-- @returns 'id ms entry' of each id.
local function historyRows(ids)
  local rows = {}
  for index, id in ipairs(ids) do rows[index] = id .. ' ' .. call('HGET', P .. 'history', id) end
  return rows
end
