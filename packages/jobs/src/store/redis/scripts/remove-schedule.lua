-- Removes a schedule.
-- ARGV[3] id. @returns 1, or 0 when there was none.
call('ZREM', P .. 'schedules:due', ARGV[3])
call('HDEL', P .. 'schedules:next', ARGV[3])
return call('HDEL', P .. 'schedules', ARGV[3])
