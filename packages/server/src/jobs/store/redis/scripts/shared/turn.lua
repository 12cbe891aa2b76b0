-- One call on the store: its moment, its counters, and what others must hear of once it is done.
-- Every call has KEYS[1], the prefix of all keys, with the hash tag that keeps them on one node;
-- ARGV[1], the time in ms of a test, or '' for the server's; ARGV[2], a random seed.
local P, ARGV, now
local call
local counters -- name -> last number given
local tenantDeltas -- tenant -> field -> change
local rung -- queues in which something may have become claimable
local news -- {worker, token, state}
local emptied -- key of a lane from which something was taken -> {set of lanes, member}
local limited -- tenant -> whether it has a limit of running jobs
local later -- consequences for other jobs: chains of any length stay flat

local function begin(keys, arguments)
  P, ARGV, call = keys[1], arguments, redis.call
  now = tonumber(ARGV[1])
  if not now then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  math.randomseed(tonumber(ARGV[2]))
  counters, tenantDeltas, rung, news, later = {}, {}, {}, {}, {}
  emptied, limited = {}, {}
end

local function int(number) return string.format('%.0f', number) end

-- Two names in one key, without any character being special.
local function pair(a, b) return #a .. ':' .. a .. b end

local function nextNumber(name)
  local last = counters[name] or tonumber(call('HGET', P .. 'counters', name) or 0)
  counters[name] = last + 1
  return last + 1
end

local function changeTenant(tenant, field, by)
  if by == 0 then return end
  local deltas = tenantDeltas[tenant]
  if not deltas then
    deltas = {}
    tenantDeltas[tenant] = deltas
  end
  deltas[field] = (deltas[field] or 0) + by
end

local function ring(queue) rung[queue] = true end

-- Runs the consequences, then writes what was only counted so far.
local function complete()
  local index = 1
  while later[index] do
    later[index]()
    index = index + 1
  end
  later = {}
  for lane, entry in pairs(emptied) do
    if call('EXISTS', lane) == 0 then call('SREM', entry[1], entry[2]) end
  end
  emptied = {}
  for name, last in pairs(counters) do call('HSET', P .. 'counters', name, int(last)) end
  for tenant, deltas in pairs(tenantDeltas) do
    for field, by in pairs(deltas) do
      if by ~= 0 then call('HINCRBY', P .. 'tenant:' .. tenant, field, int(by)) end
    end
  end
  for queue in pairs(rung) do call('PUBLISH', P .. 'work', queue) end
  for _, told in ipairs(news) do
    call('PUBLISH', P .. 'news', int(told[2]) .. ' ' .. told[3] .. ' ' .. told[1])
  end
end
