-- @returns {model, last number, …}.
return call('HGETALL', P .. 'numbers')
