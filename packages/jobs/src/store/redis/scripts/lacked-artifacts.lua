-- The artifacts among some that a tenant does not hold.
-- ARGV[3] tenant, then digests.
-- @returns digests.
local lacked = {}
for index = 4, #ARGV do
  if call('HEXISTS', P .. 'holdings:' .. ARGV[3], ARGV[index]) == 0 then lacked[#lacked + 1] = ARGV[index] end
end
return lacked
