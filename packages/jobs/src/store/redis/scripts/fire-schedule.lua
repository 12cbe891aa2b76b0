-- Enqueues the job of a schedule that is due. Of all nodes that try, the first one moves the next
-- time on, and the others find that it has changed: the schedule fires once.
-- ARGV[3] id, [4] the time it was seen to be due at, [5] the next time, then what
-- one job as shared/enqueue.lua reads it.
-- @returns 1, 0 when another node was first, or what refused the job.
if call('ZSCORE', P .. 'schedules:due', ARGV[3]) ~= ARGV[4] then return 0 end
call('ZADD', P .. 'schedules:due', ARGV[5], ARGV[3])
call('HSET', P .. 'schedules:next', ARGV[3], ARGV[5])
local ids, refused = enqueue(readJobs(6, 1))
if not ids then return refused end
complete()
return 1
