-- A job: the hash job:ID (small values, so that Redis keeps it compact) and the string spec:ID.
--   seq  number of its enqueueing        st   state             cause, msg
--   q, t, grp  queue, tenant, group      wf   parents to wait for
--   class  what it needs (its lane)      wu   blocked until     dl  deadline
--   pr, mc, mem  priority, millicores, memory in bytes          ret retention in ms
--   enq, rdy, sta, fin  times            n, fails  attempts, those that count
--   tok, w, dur, sig  token, worker, length and signal of the lease
--   aN, eN, mN, uN  attempt N: its start, end, message and usage
--   gang, gr  gang and rank in it        held  succeeded before the rest of its gang
--   kids  whether others wait for it
--   idem  idempotency key                par  parents, where they are not as in the spec
--   key  content key     prog, res, from, cp  progress, result, cachedFrom, checkpoint
local function jobKey(id) return P .. 'job:' .. id end

local function load(id)
  local flat = call('HGETALL', jobKey(id))
  if #flat == 0 then return nil end
  local job = { id = id }
  for index = 1, #flat, 2 do job[flat[index]] = flat[index + 1] end
  return job
end

local function set(job, ...)
  local given = { ... }
  for index = 1, #given, 2 do job[given[index]] = given[index + 1] end
  call('HSET', jobKey(job.id), ...)
end

local function clear(job, ...)
  local present = {}
  for _, field in ipairs({ ... }) do
    if job[field] then present[#present + 1] = field end
    job[field] = nil
  end
  if #present > 0 then call('HDEL', jobKey(job.id), unpack(present)) end
end

local function specOf(job) return cjson.decode(call('GET', P .. 'spec:' .. job.id)) end

local function parentsOf(job) return job.par and cjson.decode(job.par) or specOf(job).parents end

-- What the client makes a Job of.
local function view(id) return { id, call('HGETALL', jobKey(id)), call('GET', P .. 'spec:' .. id) } end

-- What a script keeps with a job that is no field of it.
local PASSING = { id = true, rank = true, place = true, owner = true, leaseMs = true }

-- The same of a job that the script has at hand, as it was written.
local function viewOf(job)
  local flat = {}
  for field, value in pairs(job) do
    if not PASSING[field] then
      flat[#flat + 1] = field
      flat[#flat + 1] = value
    end
  end
  return { job.id, flat, call('GET', P .. 'spec:' .. job.id) }
end

local ENDED = { succeeded = true, failed = true, cancelled = true, dead = true }

local function laneMember(job) return pair(job.t, job.class) end
local function laneKey(job) return P .. 'lane:' .. pair(job.q, laneMember(job)) end
-- Sorts by the order of enqueueing among equals.
local function placeOf(job) return string.format('%015d', job.seq) .. job.id end
local function idAt(place) return string.sub(place, 16) end
-- Smallest first: waiting AGEING_MS counts as much as one step of priority.
local function rankOf(job) return tonumber(job.rdy) - tonumber(job.pr) * AGEING_MS end
