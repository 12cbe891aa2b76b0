-- All schedules.
-- @returns per schedule {JSON, next at}.
local found = {}
local flat = call('HGETALL', P .. 'schedules')
for index = 1, #flat, 2 do
  found[#found + 1] = { flat[index + 1], call('HGET', P .. 'schedules:next', flat[index]) }
end
return found
