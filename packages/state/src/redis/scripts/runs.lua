-- A[1] status or '', A[2] limit, A[3] the place that they come after, or ''.
-- @returns their summaries, newest first.
local key = A[1] == '' and P .. 'runs' or P .. 'runs:' .. A[1]
local from = A[3] == '' and '+' or '(' .. A[3]
local found = {}
for index, place in ipairs(call('ZREVRANGEBYLEX', key, from, '-', 'LIMIT', 0, A[2])) do
  found[index] = call('HGET', P .. 'run:' .. string.match(place, ' (.*)$'), 'summary')
end
return found
