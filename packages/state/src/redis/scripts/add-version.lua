-- Adds a version, unless its content is one already.
-- A[1] model, A[2] the digest of its content, A[3] the record.
-- @returns {number, 'ms record'}.
local rows, contents = P .. 'versions:' .. A[1], P .. 'contents:' .. A[1]
local existing = call('HGET', contents, A[2])
if existing then return { existing, call('HGET', rows, existing) } end
local number = int(call('HINCRBY', P .. 'numbers', A[1], 1))
local row = moment .. ' ' .. A[3]
call('HSET', rows, number, row)
call('HSET', contents, A[2], number)
announce('version', versionId(A[1], number))
return { number, row }
