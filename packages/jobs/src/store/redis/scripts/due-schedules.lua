-- The schedules that are due, for the client to work out their next times.
-- @returns the time, then per schedule {id, due at, JSON}.
local due = { moment }
local flat = call('ZRANGEBYSCORE', P .. 'schedules:due', '-inf', moment, 'WITHSCORES', 'LIMIT', 0, TICK_BATCH)
for index = 1, #flat, 2 do
  due[#due + 1] = { flat[index], flat[index + 1], call('HGET', P .. 'schedules', flat[index]) }
end
return due
