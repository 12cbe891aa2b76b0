-- Counts jobs of a group by state, without the one that started it.
-- ARGV[3] group, [4] tenant or '', [5] from which place in the group.
-- @returns the place to continue from or '', then state and count in turn.
local offset = tonumber(ARGV[5])
local ids = call('ZRANGE', P .. 'group:' .. ARGV[3], offset, offset + LIST_SCANNED - 1)
preload(ids)
local counts = {}
for _, id in ipairs(ids) do
  local job = load(id)
  if id ~= ARGV[3] and (ARGV[4] == '' or job.t == ARGV[4]) then counts[job.st] = (counts[job.st] or 0) + 1 end
end
local answer = { #ids < LIST_SCANNED and '' or int(offset + LIST_SCANNED) }
for state, count in pairs(counts) do
  answer[#answer + 1] = state
  answer[#answer + 1] = count
end
return answer
