-- Removes a deployment. `revisions` keeps its last revision, which counts on.
-- A[1] name.
-- @returns 1, or 0 when there was none.
if call('HDEL', P .. 'deployments', A[1]) == 0 then return 0 end
call('DEL', P .. 'earlier:' .. A[1])
local revision = int(call('HINCRBY', P .. 'revisions', A[1], 1))
announce('deployment', A[1], revision, true)
return 1
