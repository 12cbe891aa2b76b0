-- A job: the string job:ID, an object as JSON, and the string spec:ID, which never changes.
--   id   seq number of its enqueueing    st   state             cause, msg
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
-- Numbers that may have more than 14 digits are strings, since cjson writes no more.
local function jobKey(id) return P .. 'job:' .. id end
local function specKey(id) return P .. 'spec:' .. id end

-- The same table for the same job throughout a call.
local function load(id)
  local job = loaded[id]
  if job == nil then
    local json = call('GET', jobKey(id))
    job = json and cjson.decode(json)
    loaded[id], written[id] = job, json
  end
  return job or nil
end

-- Reads many jobs at once, for `load` to find.
local function preload(ids)
  local wanted, keys = {}, {}
  for _, id in ipairs(ids) do
    if loaded[id] == nil then
      wanted[#wanted + 1] = id
      keys[#keys + 1] = jobKey(id)
    end
  end
  for from = 1, #keys, MOST_ARGUMENTS do
    local found = call('MGET', unpack(keys, from, math.min(from + MOST_ARGUMENTS - 1, #keys)))
    for index, json in ipairs(found) do
      local id = wanted[from + index - 1]
      loaded[id], written[id] = json and cjson.decode(json), json
    end
  end
end

local function set(job, ...)
  for index = 1, select('#', ...), 2 do
    local field, value = select(index, ...)
    job[field] = value
  end
  changed[job.id] = true
end

local function clear(job, ...)
  for index = 1, select('#', ...) do job[select(index, ...)] = nil end
  changed[job.id] = true
end

local function specOf(job) return cjson.decode(call('GET', specKey(job.id))) end

local function parentsOf(job) return job.par and cjson.decode(job.par) or specOf(job).parents end

-- What the client makes a Job of: the job as it was written, and its spec.
local function view(id)
  load(id)
  return { written[id], call('GET', specKey(id)) }
end

local STATES = {
  blocked = true, ready = true, running = true, succeeded = true, failed = true, cancelled = true, dead = true,
}
local ENDED = { succeeded = true, failed = true, cancelled = true, dead = true }

local function laneMember(job) return pair(job.t, job.class) end
local function laneKey(job) return P .. 'lane:' .. pair(job.q, laneMember(job)) end
-- Sorts by the order of enqueueing among equals.
local function placeOf(job) return string.format('%015d', job.seq) .. job.id end
local function idAt(place) return string.sub(place, 16) end
-- Smallest first: waiting AGEING_MS counts as much as one step of priority.
local function rankOf(job) return tonumber(job.rdy) - tonumber(job.pr) * AGEING_MS end
