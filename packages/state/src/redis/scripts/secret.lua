-- A[1] name, A[2] what it becomes where there is none.
-- @returns the secret.
call('HSETNX', P .. 'secrets', A[1], A[2])
return call('HGET', P .. 'secrets', A[1])
