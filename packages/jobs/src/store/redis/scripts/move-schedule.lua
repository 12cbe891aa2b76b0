-- Moves the next time of a schedule, unless it has changed since it was read.
-- ARGV[3] id, [4] the time that was read, [5] the next time.
-- @returns 1, or 0 when it has changed.
if call('ZSCORE', P .. 'schedules:due', ARGV[3]) ~= ARGV[4] then return 0 end
call('ZADD', P .. 'schedules:due', ARGV[5], ARGV[3])
call('HSET', P .. 'schedules:next', ARGV[3], ARGV[5])
return 1
