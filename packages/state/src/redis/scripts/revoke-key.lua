-- A[1] id, A[2] time. The first revocation counts.
-- @returns 1, or 0 when there is no such key.
if call('HEXISTS', P .. 'keys', A[1]) == 0 then return 0 end
call('HSETNX', P .. 'keys:revoked', A[1], A[2])
announce('key', A[1])
return 1
