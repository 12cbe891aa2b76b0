-- Bytes of an attempt's log.
-- ARGV[3] id, [4] attempt, [5] offset, [6] most bytes. @returns {chunk, size, ended (1 or 0)}.
local key = P .. 'log:' .. ARGV[4] .. ':' .. ARGV[3]
local offset = tonumber(ARGV[5])
local job = load(ARGV[3]) or {}
if not job['a' .. ARGV[4]] then return { '', 0, job.fin and 1 or 0 } end
local chunk = ''
if tonumber(ARGV[6]) > 0 then chunk = call('GETRANGE', key, offset, offset + tonumber(ARGV[6]) - 1) end
return { chunk, call('STRLEN', key), job['e' .. ARGV[4]] and 1 or 0 }
