-- Announces a worker, or changes what it announced.
-- ARGV[3] worker, [4] its view as JSON, [5] millicores, [6] memory, [7] mode.
removeWorker(ARGV[3])
call('HSET', P .. 'workers', ARGV[3], ARGV[4])
call('ZADD', P .. 'seen', moment, ARGV[3])
call('HINCRBY', P .. 'fleet', 'mc', ARGV[5])
call('HINCRBY', P .. 'fleet', 'mem', ARGV[6])
if ARGV[7] == 'draining' then call('HSET', P .. 'draining', ARGV[3], 1) end
return 1
