-- One call on the store: its time, its changes, and the notifications that are sent once it is
-- done.
-- Every call has KEYS[1], the prefix of all keys, with the hash tag that keeps them on one node;
-- ARGV[1], the time in ms of a test, or '' for the server's; ARGV[2], a random seed, a space, and
-- the position in the change feed of the fleet's state that the caller has reached, or ''.
--
-- A command costs more than the change that it makes. So changes of jobs and of their indexes
-- gather in memory, and `complete` writes them in a few commands, however many jobs the call
-- changes. Indexes that are read before that are as they were when the call began.
local P, ARGV, now
local moment -- now, as text
local call
local counters -- name -> last number given
local tenantDeltas -- tenant -> field -> change
local outcomes -- queue -> outcome -> attempts that ended so
local indexes -- key of a sorted set -> member -> score, or false: taken out
local hashes -- key of a hash -> field -> value, or false: taken out
local loaded -- id -> the job as the call has left it so far, or false: there is none
local changed -- ids of jobs to be written
local written -- id -> the job as JSON
local owners -- token -> id of its job, or false
local events, eventCount -- runs of events for one entry of the event log, and how many they are
local notifiedQueues -- queues in which something may have become claimable
local notices -- {worker, token, state}
local entered -- keys of lanes to which something was added
local emptied -- key of a lane from which something was taken -> {set of lanes, member}
local keysOf -- queue -> the keys that belong to it, as they are asked for
local limited -- tenant -> whether it has a limit of running jobs
local later -- consequences for other jobs: chains of any length stay flat

-- `%d` is many times as fast as `%.0f`, and right where a number is exact.
local function int(number)
  if number < 1e15 and number > -1e15 then return string.format('%d', number) end
  return string.format('%.0f', number)
end

-- Whether the feed has this entry, or has dropped it because it is so old.
local function hasChange(entry)
  local feed = P .. 'state:changes'
  if entry == '0-0' or #call('XRANGE', feed, entry, entry) > 0 then return true end
  local first = call('XRANGE', feed, '-', '+', 'COUNT', 1)[1]
  return first and tonumber(string.match(first[1], '^%d+')) > tonumber(string.match(entry, '^%d+'))
end

-- Refuses a call of a node or worker that has seen other contents, or newer ones: its jobs would be
-- lost as soon as the right contents are back.
-- @param cursor 'epoch:number-random', where the random number distinguishes two histories.
local function checkContents(cursor)
  local epoch, entry = string.match(cursor, '^(.*):(%d+%-%d+)$')
  if epoch and (call('HGET', P .. 'state:meta', 'epoch') ~= epoch or not hasChange(entry)) then
    error(redis.error_reply('SKEIN STORE_REPLACED The contents of Redis are not those that this process has seen.'))
  end
end

local function begin(keys, arguments)
  P, ARGV, call = keys[1], arguments, redis.call
  now = tonumber(ARGV[1])
  if not now then
    local time = call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  moment = int(now)
  local seed, cursor = string.match(ARGV[2], '^(%d+) (.*)$')
  checkContents(cursor)
  math.randomseed(tonumber(seed))
  counters, tenantDeltas, notifiedQueues, notices, later = {}, {}, {}, {}, {}
  indexes, hashes, loaded, changed, written, owners = {}, {}, {}, {}, {}, {}
  outcomes = {}
  events, eventCount = {}, 0
  entered, emptied, limited, keysOf = {}, {}, {}, {}
end

-- Two names in one key, without any character being special.
local function pair(a, b) return #a .. ':' .. a .. b end

-- Most arguments of one command: Lua's stack holds more.
local MOST_ARGUMENTS = 3000

-- Calls a command that takes any number of arguments, at least one.
local function callAll(command, key, arguments)
  for from = 1, #arguments, MOST_ARGUMENTS do
    call(command, key, unpack(arguments, from, math.min(from + MOST_ARGUMENTS - 1, #arguments)))
  end
end

local function change(all, key, name, value)
  local here = all[key]
  if not here then
    here = {}
    all[key] = here
  end
  here[name] = value
end

-- @param score false takes the member out.
local function setIndex(key, member, score) change(indexes, key, member, score) end
-- @param value false takes the field out.
local function setField(key, field, value) change(hashes, key, field, value) end

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

local function notifyQueue(queue) notifiedQueues[queue] = true end

local function writeJobs()
  local flat, size = {}, 0
  for id in pairs(changed) do
    local json = cjson.encode(loaded[id])
    written[id] = json
    flat[size + 1], flat[size + 2] = P .. 'job:' .. id, json
    size = size + 2
    if size >= MOST_ARGUMENTS then
      call('MSET', unpack(flat))
      flat, size = {}, 0
    end
  end
  if size > 0 then call('MSET', unpack(flat)) end
  changed = {}
end

local function writeIndexes()
  for key, members in pairs(indexes) do
    local added, removed = {}, {}
    for member, score in pairs(members) do
      if score then
        added[#added + 1] = score
        added[#added + 1] = member
      else
        removed[#removed + 1] = member
      end
    end
    callAll('ZADD', key, added)
    callAll('ZREM', key, removed)
  end
  indexes = {}
  for key, fields in pairs(hashes) do
    local set, removed = {}, {}
    for field, value in pairs(fields) do
      if value then
        set[#set + 1] = field
        set[#set + 1] = value
      else
        removed[#removed + 1] = field
      end
    end
    callAll('HSET', key, set)
    callAll('HDEL', key, removed)
  end
  hashes = {}
  for lane, entry in pairs(emptied) do
    if call('EXISTS', lane) == 0 then call('SREM', entry[1], entry[2]) end
  end
  entered, emptied = {}, {}
end

-- The id of an entry is the sequence of its last event.
local function writeEvents()
  if eventCount == 0 then return end
  local last = nextNumber('event') + eventCount - 1
  counters.event = last
  call('XADD', P .. 'events', 'MINID', '~', int(math.max(0, last - EVENTS_KEPT)), int(last) .. '-0', 'at', moment,
    'events', cjson.encode(events))
  events, eventCount = {}, 0
end

-- Runs the consequences, then writes the gathered changes.
local function complete()
  local index = 1
  while later[index] do
    later[index]()
    index = index + 1
  end
  later = {}
  writeJobs()
  writeIndexes()
  writeEvents()
  for name, last in pairs(counters) do call('HSET', P .. 'counters', name, int(last)) end
  counters = {}
  for tenant, deltas in pairs(tenantDeltas) do
    for field, by in pairs(deltas) do
      if by ~= 0 then call('HINCRBY', P .. 'tenant:' .. tenant, field, int(by)) end
    end
  end
  tenantDeltas = {}
  for queue, counts in pairs(outcomes) do
    for outcome, by in pairs(counts) do call('HINCRBY', P .. 'outcomes:' .. queue, outcome, by) end
  end
  outcomes = {}
  for queue in pairs(notifiedQueues) do call('PUBLISH', P .. 'work', queue) end
  notifiedQueues = {}
  for _, notice in ipairs(notices) do
    call('PUBLISH', P .. 'news', int(notice[2]) .. ' ' .. notice[3] .. ' ' .. notice[1])
  end
  notices = {}
end
