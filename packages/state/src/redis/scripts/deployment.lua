-- A[1] name.
-- @returns 'revision ms row', or nil.
return call('HGET', P .. 'deployments', A[1])
