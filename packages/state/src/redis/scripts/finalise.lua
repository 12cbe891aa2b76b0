-- From now on the newest schema that all live members read is written.
-- @returns that schema.
removeEndedMembers()
local newest
for _, row in ipairs(liveMembers()) do
  local reads = tonumber(string.match(row[2], '^%d+ %d+ %d+ (%d+) '))
  newest = math.min(newest or reads, reads)
end
local written = math.max(schema(), newest or 0)
call('HSET', P .. 'meta', 'schema', written)
return written
