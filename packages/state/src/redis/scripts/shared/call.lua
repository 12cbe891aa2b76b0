-- One call on the state.
-- Every call has KEYS[1], the prefix of all keys, with the hash tag that keeps them on one node;
-- ARGV[1], the time in ms of a test, or '' for the server's; ARGV[2], a random id of the call;
-- ARGV[3], 1 when the call was sent before and its answer was lost; ARGV[4], a random number;
-- ARGV[5], the epoch of the contents that the caller has read, or '' for any. A script's own
-- arguments are in A.
local P, A, now, moment, callId, random, call
-- How long the answer to a call is kept for a caller that lost it, in ms.
local ANSWER_KEPT_MS = 60000

local function refuse(code, text)
  error(redis.error_reply('SKEIN ' .. code .. ' ' .. text))
end

-- Whole numbers: Lua writes large ones with an exponent.
local function int(number) return string.format('%.0f', number) end

local function begin(keys, arguments)
  P, call = keys[1], redis.call
  callId, random = arguments[2], arguments[4]
  A = { unpack(arguments, 6) }
  now = tonumber(arguments[1])
  if not now then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  moment = int(now)
  A.again = arguments[3] == '1'
  if arguments[5] ~= '' and call('HGET', P .. 'meta', 'epoch') ~= arguments[5] then
    refuse('STORE_REPLACED', 'The contents of Redis are not those that this node has read before.')
  end
end

local function nextNumber(name) return call('HINCRBY', P .. 'counters', name, 1) end

-- Two names in one key, without any character being special.
local function pair(a, b) return #a .. ':' .. a .. b end

-- For a write that would do something else the second time: the answer of the first time, if any.
local function answered()
  return A.again and call('GET', P .. 'answer:' .. callId)
end

local function answer(value)
  call('SET', P .. 'answer:' .. callId, value, 'PX', ANSWER_KEPT_MS)
  return value
end
