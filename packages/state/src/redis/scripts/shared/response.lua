-- Responses of an owner: a hash each with its fields, which expires with its time; and a sorted
-- set of their places by the end of that time, with their total size in another key.
local function responseKey(owner, id) return P .. 'response:' .. pair(owner, id) end
local function placesKey(owner) return P .. 'responses:' .. owner end
local function bytesKey(owner) return P .. 'responses-bytes:' .. owner end

-- A place is 'number bytes id': the number orders what ends at once.
local function removePlace(owner, place)
  local bytes, id = string.match(place, '^%d+ (%d+) (.*)$')
  call('ZREM', placesKey(owner), place)
  call('DECRBY', bytesKey(owner), bytes)
  return responseKey(owner, id)
end

local function dropResponse(owner, id)
  local place = call('HGET', responseKey(owner, id), 'place')
  if not place then return 0 end
  call('DEL', removePlace(owner, place))
  return 1
end

-- Those whose time has ended are gone already; their places are not.
local function removeEnded(owner)
  for _, place in ipairs(call('ZRANGEBYSCORE', placesKey(owner), '-inf', moment)) do
    call('DEL', removePlace(owner, place))
  end
end
