-- Makes or replaces a schedule.
-- ARGV[3] id, [4] schedule as JSON, [5] when it is next due, [6] paused (1 or 0).
call('HSET', P .. 'schedules', ARGV[3], ARGV[4])
call('HSET', P .. 'schedules:next', ARGV[3], ARGV[5])
if ARGV[6] == '1' then
  call('ZREM', P .. 'schedules:due', ARGV[3])
else
  call('ZADD', P .. 'schedules:due', ARGV[5], ARGV[3])
end
return 1
