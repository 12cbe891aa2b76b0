-- Bytes of an attempt's log.
-- ARGV[3] id, [4] attempt, [5] offset, [6] most bytes. @returns {chunk, size, ended (1 or 0)}.
local key = P .. 'log:' .. ARGV[4] .. ':' .. ARGV[3]
local offset = tonumber(ARGV[5])
local started, ended, jobEnded = unpack(call('HMGET', jobKey(ARGV[3]), 'a' .. ARGV[4], 'e' .. ARGV[4], 'fin'))
if not started then return { '', 0, jobEnded and 1 or 0 } end
local chunk = ''
if tonumber(ARGV[6]) > 0 then chunk = call('GETRANGE', key, offset, offset + tonumber(ARGV[6]) - 1) end
return { chunk, call('STRLEN', key), ended and 1 or 0 }
