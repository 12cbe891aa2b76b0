-- Notes that a tenant holds an artifact.
-- ARGV[3] tenant, [4] digest, [5] its size in bytes.
-- @returns 1, or 0 when it holds it already.
if call('HSETNX', P .. 'holdings:' .. ARGV[3], ARGV[4], ARGV[5]) == 0 then return 0 end
call('HINCRBY', P .. 'held-bytes', ARGV[3], ARGV[5])
return 1
