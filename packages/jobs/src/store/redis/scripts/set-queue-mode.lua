-- Opens, pauses or drains a queue.
-- ARGV[3] queue, [4] mode.
call('HSET', P .. 'queues', ARGV[3], ARGV[4])
notifyQueue(ARGV[3])
complete()
return 1
