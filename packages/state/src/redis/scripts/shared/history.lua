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

-- @returns 'id ms entry' of each id.
local function historyRows(ids)
  local rows = {}
  for index, id in ipairs(ids) do rows[index] = id .. ' ' .. call('HGET', P .. 'history', id) end
  return rows
end
