-- A[1] model, A[2] number.
-- @returns 1, or 0 when there was none.
local rows, contents = P .. 'versions:' .. A[1], P .. 'contents:' .. A[1]
if call('HDEL', rows, A[2]) == 0 then return 0 end
local all = call('HGETALL', contents)
for index = 1, #all, 2 do
  if all[index + 1] == A[2] then call('HDEL', contents, all[index]) end
end
announce('version', versionId(A[1], A[2]), nil, true)
return 1
