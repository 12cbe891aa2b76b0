-- Shares of a limit: a hash, member -> 'ends demand share'.
-- @returns {{member, demand, share}, …} of the live ones.
local function liveShares(limit)
  local all, live = call('HGETALL', P .. 'shares:' .. limit), {}
  for index = 1, #all, 2 do
    local ends, demand, share = string.match(all[index + 1], '^(%d+) (%S+) (%S+)$')
    if tonumber(ends) > now then live[#live + 1] = { all[index], demand, share } end
  end
  return live
end
