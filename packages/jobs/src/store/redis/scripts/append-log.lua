-- Appends to the log of an attempt; a repeated chunk is not stored twice.
-- ARGV[3] token, [4] offset in bytes, [5] chunk.
-- @returns 1, 0 when the token is stale, or {'gap', id, size} when bytes before the chunk are missing.
local job = leased(ARGV[3])
if not job then return 0 end
local key = P .. 'log:' .. job.n .. ':' .. job.id
local size = call('STRLEN', key)
if size >= LOG_BYTES then return 1 end
local offset = tonumber(ARGV[4])
if offset > size then return { 'gap', job.id, size } end
local fresh = string.sub(ARGV[5], size - offset + 1, LOG_BYTES - offset)
if #fresh == 0 then return 1 end
call('APPEND', key, fresh)
countLog(job, ARGV[3], #fresh)
addEvent(job, 'log')
complete()
return 1
