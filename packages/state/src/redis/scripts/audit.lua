-- A[1] limit, at least 1, A[2] only entries with a smaller id, or ''.
-- @returns {'id ms entry', …}, newest first.
local from = 0
local newest = call('LINDEX', P .. 'audit', 0)
-- The ids of a list have no gaps.
if newest and (A[2] or '') ~= '' then
  from = math.max(0, tonumber(string.match(newest, '^%d+')) - tonumber(A[2]) + 1)
end
return call('LRANGE', P .. 'audit', from, from + A[1] - 1)
