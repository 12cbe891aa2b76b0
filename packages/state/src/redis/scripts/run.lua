-- A[1] id.
-- @returns {summary, epochs}, or {nil, nil}.
return call('HMGET', P .. 'run:' .. A[1], 'summary', 'epochs')
