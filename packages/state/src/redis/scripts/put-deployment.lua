-- Replaces a deployment under its revision.
-- A[1] name, A[2] expected revision, A[3] the row, A[4] and A[5] name and token of a lease, or ''.
-- @returns 'revision ms row'.
local before = answered()
if before then return before end
checkFence(A[4], A[5])
local current = call('HGET', P .. 'deployments', A[1])
local actual = current and string.match(current, '^%d+') or '0'
if actual ~= A[2] then
  refuse('ROLLOUT_IN_PROGRESS', 'Deployment "' .. A[1] .. '" is at revision ' .. actual .. ', not ' .. A[2]
    .. ': another writer has changed it in the meantime.')
end
local revision = int(call('HINCRBY', P .. 'revisions', A[1], 1))
local row = revision .. ' ' .. moment .. ' ' .. A[3]
if current then
  call('LPUSH', P .. 'earlier:' .. A[1], current)
  call('LTRIM', P .. 'earlier:' .. A[1], 0, REVISIONS_KEPT - 1)
end
call('HSET', P .. 'deployments', A[1], row)
announce('deployment', A[1], revision)
return answer(row)
