-- Gives a worker what fits its offer: first the gang members that were placed on it, then places
-- for gangs that are being assembled, then jobs, tenant by tenant in the order of fair share.
-- ARGV[3] worker, [4] leaseMs, [5] millicores, [6] memory, [7] most claims, [8] host, [9] port,
-- [10] a name of this call, by which it is known when it is sent again because its answer was lost,
-- [11] number of queues, the queues, then the labels.
-- @returns per claim {token, attempt, host or '', port or '', view}.

local lastClaim = P .. 'claim:' .. ARGV[3]
local before = call('LRANGE', lastClaim, 0, -1)
if before[1] == ARGV[10] then
  local claims = {}
  for index = 2, #before do
    local job = leased(before[index])
    if job then
      local claim = job.gang and memberClaim(job, before[index]) or { before[index], tonumber(job.n), '', '' }
      claim[5] = view(job.id)
      claims[#claims + 1] = claim
    end
  end
  return claims
end
if not seen(ARGV[3]) then return {} end
local queues, labels = {}, {}
local queueCount = tonumber(ARGV[11])
for index = 1, queueCount do
  local queue = ARGV[11 + index]
  if call('HGET', P .. 'queues', queue) ~= 'paused' then queues[#queues + 1] = queue end
end
for index = 12 + queueCount, #ARGV do labels[ARGV[index]] = true end
local capacity = {
  worker = ARGV[3], leaseMs = tonumber(ARGV[4]), mc = tonumber(ARGV[5]), mem = tonumber(ARGV[6]),
  places = tonumber(ARGV[7]), host = ARGV[8], port = ARGV[9], labels = labels, claims = {},
}

-- Reads on in a lane, as far as this offer may take.
local function readLane(lane)
  local page = math.min(LOOK_AHEAD, capacity.places)
  local flat = call('ZRANGE', lane.key, lane.read, lane.read + page - 1, 'WITHSCORES')
  lane.places, lane.next = flat, 1
  lane.read = lane.read + #flat / 2
  local ids = {}
  for at = 1, #flat, 2 do ids[#ids + 1] = idAt(flat[at]) end
  preload(ids)
  return flat[1]
end

-- The candidates of a lane for this offer: its first job that fits. The capacity only shrinks, so a job
-- that does not fit now will not fit later.
local function head(lane)
  if lane.head then
    if fits(capacity, lane.head) then return lane.head end
    lane.head = nil
    lane.skipped = lane.skipped + 1
  end
  while lane.skipped < LOOK_AHEAD do
    local place = lane.places[lane.next] or readLane(lane)
    if not place then return nil end
    local job = load(idAt(place))
    lane.rank, lane.place = tonumber(lane.places[lane.next + 1]), place
    lane.next = lane.next + 2
    if fits(capacity, job) then
      lane.head = job
      return job
    end
    lane.skipped = lane.skipped + 1
  end
  return nil
end

local function contenders()
  local found, list = {}, {}
  for _, queue in ipairs(queues) do
    for _, member in ipairs(call('SMEMBERS', P .. 'lanes:' .. queue)) do
      local length, rest = string.match(member, '^(%d+):(.*)$')
      local tenant, class = string.sub(rest, 1, tonumber(length)), string.sub(rest, tonumber(length) + 1)
      local requires = string.match(class, '^[^:]*:[^:]*:(.*)$') or ''
      if hasLabels(capacity, requires) then
        local contender = found[tenant]
        if contender == nil then
          local values = call('HMGET', P .. 'tenant:' .. tenant, 'weight', 'vt', 'running', 'maxRunning', 'mc', 'mem')
          contender = {
            tenant = tenant, weight = tonumber(values[1] or 1), vt = tonumber(values[2] or 0),
            running = tonumber(values[3] or 0), most = tonumber(values[4] or math.huge),
            mc = tonumber(values[5] or 0), mem = tonumber(values[6] or 0), lanes = {},
          }
          found[tenant] = contender
          if contender.running < contender.most then list[#list + 1] = contender end
        end
        contender.lanes[#contender.lanes + 1] = {
          queue = queue, class = class, key = P .. 'lane:' .. pair(queue, member), places = {}, next = 1, read = 0, skipped = 0,
        }
      end
    end
  end
  return list
end

-- Starts the tenant's best job that fits, or begins to assemble its best gang; drops the lanes that
-- have nothing for this offer. @returns what the start costs: millicores, memory, jobs.
local function startNext(contender)
  local best
  local useful = {}
  for index, lane in ipairs(contender.lanes) do
    if lane.class == 'gang' then
      local mc, mem, jobs = beginAssembly(capacity, lane, contender.most - contender.running)
      if mc then
        table.remove(contender.lanes, index)
        return mc, mem, jobs
      end
    else
      local job = head(lane)
      if job then
        useful[#useful + 1] = lane
        if not best or lane.rank < best.rank or (lane.rank == best.rank and lane.place < best.place) then
          best = lane
        end
      end
    end
  end
  contender.lanes = useful
  if not best then return nil end
  local job = best.head
  best.head = nil
  if takeCached(job) then return nil end
  occupy(capacity, job)
  local token = openAttempt(job, capacity.worker, capacity.leaseMs)
  capacity.claims[#capacity.claims + 1] = { token, tonumber(job.n), '', '', job.id }
  return tonumber(job.mc), tonumber(job.mem), 1
end

local function fillFairly()
  local list = contenders()
  if #list == 0 then return end
  local totalMc, totalMem = fleetTotal()
  local clock = tonumber(call('HGET', P .. 'counters', 'vt') or 0)
  local charged = {}
  local function share(contender)
    return math.max(contender.mc / totalMc, contender.mem / totalMem) / contender.weight
  end
  for _, contender in ipairs(list) do contender.share = share(contender) end
  while capacity.places > 0 and #list > 0 do
    local index, next = 1, list[1]
    for other = 2, #list do
      local candidate = list[other]
      if candidate.share < next.share or (candidate.share == next.share and (candidate.vt < next.vt
        or (candidate.vt == next.vt and candidate.tenant < next.tenant))) then
        index, next = other, candidate
      end
    end
    local mc, mem, jobs = startNext(next)
    if mc then
      local start = math.max(next.vt, clock)
      next.vt = start + math.max(mc / totalMc, mem / totalMem) / next.weight
      clock = start
      next.mc, next.mem, next.running = next.mc + mc, next.mem + mem, next.running + jobs
      next.share = share(next)
      charged[next.tenant] = next.vt
    end
    if #next.lanes == 0 or next.running >= next.most then table.remove(list, index) end
  end
  local any
  for tenant, vt in pairs(charged) do
    any = true
    call('HSET', P .. 'tenant:' .. tenant, 'vt', string.format('%.17g', vt))
  end
  if any then call('HSET', P .. 'counters', 'vt', string.format('%.17g', clock)) end
end

deliverPlaced(capacity)
keepReservations(capacity)
growAssemblies(capacity, queues)
if capacity.places > 0 then fillFairly() end
complete()
local tokens = { ARGV[10] }
for _, claim in ipairs(capacity.claims) do tokens[#tokens + 1] = claim[1] end
call('DEL', lastClaim)
if #tokens > 1 then
  call('RPUSH', lastClaim, unpack(tokens))
  call('PEXPIRE', lastClaim, 60000)
end
local keys = {}
for index, claim in ipairs(capacity.claims) do keys[index] = specKey(claim[5]) end
local specs = #keys > 0 and call('MGET', unpack(keys)) or {}
for index, claim in ipairs(capacity.claims) do claim[5] = { written[claim[5]], specs[index] } end
return capacity.claims
