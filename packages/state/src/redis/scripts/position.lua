-- Where the change feed ends.
-- @returns {epoch or '', id of its last entry, schema or ''}.
local meta = call('HMGET', P .. 'meta', 'epoch', 'schema')
local last = call('XREVRANGE', P .. 'changes', '+', '-', 'COUNT', 1)[1]
return { meta[1] or '', last and last[1] or '0-0', meta[2] or '' }
