-- Gives a store its epoch, unless it has one.
-- A[1] epoch, A[2] schema.
call('HSETNX', P .. 'meta', 'epoch', A[1])
call('HSETNX', P .. 'meta', 'schema', A[2])
return 1
