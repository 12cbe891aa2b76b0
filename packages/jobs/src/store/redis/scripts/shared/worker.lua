-- The workers that have announced themselves: the hash workers (JSON), seen (by time), mode:WORKER.

-- Records that the worker is alive. @returns false for a worker that is to claim no more jobs.
local function seen(worker)
  call('ZADD', P .. 'seen', 'XX', moment, worker)
  return call('HGET', P .. 'draining', worker) == false
end

-- The total capacity of the fleet.
local function fleetTotal()
  local total = call('HMGET', P .. 'fleet', 'mc', 'mem')
  local mc, mem = tonumber(total[1] or 0), tonumber(total[2] or 0)
  if mc == 0 or mem == 0 then return DEFAULT_MILLICORES, DEFAULT_MEMORY end
  return mc, mem
end

local function removeWorker(worker)
  local known = call('HGET', P .. 'workers', worker)
  if not known then return end
  local total = cjson.decode(known).total
  call('HINCRBY', P .. 'fleet', 'mc', int(-math.floor(total.cores * 1000 + 0.5)))
  call('HINCRBY', P .. 'fleet', 'mem', int(-total.memoryBytes))
  call('HDEL', P .. 'workers', worker)
  call('HDEL', P .. 'draining', worker)
  call('ZREM', P .. 'seen', worker)
end
