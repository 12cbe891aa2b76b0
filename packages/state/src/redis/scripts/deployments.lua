-- @returns {name, 'revision ms row', …}.
return call('HGETALL', P .. 'deployments')
