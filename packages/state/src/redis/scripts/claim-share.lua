-- Replaces the claim of a member, which gets at most what the others leave of the total.
-- A[1] limit, A[2] member, A[3] demand, A[4] wanted share, A[5] total, A[6] ttl in ms.
-- @returns its share.
local key = P .. 'shares:' .. A[1]
local live, sum = liveShares(A[1]), 0
for _, row in ipairs(live) do
  if row[1] ~= A[2] then sum = sum + tonumber(row[3]) end
end
local share = math.max(0, math.min(tonumber(A[4]), tonumber(A[5]) - sum))
-- Those whose lease has ended are removed now and then.
if call('HLEN', key) > 2 * #live + 8 then
  local kept = {}
  for _, row in ipairs(live) do kept[row[1]] = true end
  for _, member in ipairs(call('HKEYS', key)) do
    if not kept[member] then call('HDEL', key, member) end
  end
end
local text = string.format('%.17g', share)
call('HSET', key, A[2], int(now + tonumber(A[6])) .. ' ' .. A[3] .. ' ' .. text)
call('PEXPIRE', key, 2 * A[6])
return text
