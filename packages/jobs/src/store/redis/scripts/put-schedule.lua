-- Makes or replaces a schedule. One that is due and has not fired yet stays due, unless its times change.
-- ARGV[3] id, [4] schedule as JSON, [5] when it is next due, [6] paused (1 or 0).
-- @returns when it is next due.
local nextAt = ARGV[5]
if ARGV[6] == '1' then
  call('ZREM', P .. 'schedules:due', ARGV[3])
else
  local due = call('ZSCORE', P .. 'schedules:due', ARGV[3])
  if due and tonumber(due) <= now then
    local old, new = cjson.decode(call('HGET', P .. 'schedules', ARGV[3])), cjson.decode(ARGV[4])
    if old.cron == new.cron and old.timeZone == new.timeZone then nextAt = due end
  end
  call('ZADD', P .. 'schedules:due', nextAt, ARGV[3])
end
call('HSET', P .. 'schedules', ARGV[3], ARGV[4])
call('HSET', P .. 'schedules:next', ARGV[3], nextAt)
return nextAt
