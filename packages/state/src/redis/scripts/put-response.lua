-- A[1] owner, A[2] id, A[3] the id that it continues or '', A[4] JSON, A[5] count, A[6] bytes,
-- A[7] its end in ms.
-- @returns '1', or '0' when it is larger than all may be.
local owner, id, size, ends = A[1], A[2], #A[4], tonumber(A[7])
removeEnded(owner)
if size > tonumber(A[6]) or ends <= now then return '0' end
dropResponse(owner, id)
local places = placesKey(owner)
while true do
  local held = tonumber(call('GET', bytesKey(owner)) or '0')
  if call('ZCARD', places) < tonumber(A[5]) and held + size <= tonumber(A[6]) then break end
  local first = call('ZRANGE', places, 0, 0)[1]
  if not first then break end
  call('DEL', removePlace(owner, first))
end
local place = string.format('%016d', nextNumber('response')) .. ' ' .. int(size) .. ' ' .. id
local key = responseKey(owner, id)
call('HSET', key, 'previous', A[3], 'value', A[4], 'place', place, 'ends', int(ends))
call('PEXPIRE', key, int(ends - now))
call('ZADD', places, int(ends), place)
call('INCRBY', bytesKey(owner), int(size))
local last = tonumber(call('ZRANGE', places, -1, -1, 'WITHSCORES')[2])
call('PEXPIRE', places, int(last - now))
call('PEXPIRE', bytesKey(owner), int(last - now))
call('ZREMRANGEBYSCORE', P .. 'response-owners', '-inf', moment)
call('ZADD', P .. 'response-owners', int(last), owner)
return '1'
