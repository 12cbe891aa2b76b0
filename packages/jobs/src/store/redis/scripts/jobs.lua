-- A page of jobs, newest first, from the narrowest index that the filter has. A folded page that has
-- read LIST_SCANNED jobs ends.
-- ARGV[3] queue, [4] tenant, [5] state, [6] group ('' for any), [7] limit, [8] before which number or '',
-- [9] '1' for one job of each group.
-- @returns the number to continue from or '', then views; of a folded page with the group behind the job, or ''.
local queue, tenant, state, group, limit = ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local folded = ARGV[9] == '1'
local index = P .. 'jobs'
if tenant ~= '' then index = P .. 'tenant-jobs:' .. tenant end
if queue ~= '' and state ~= '' then index = stateKey(queue, state) end
if group ~= '' then index = P .. 'group:' .. group end
local before = ARGV[8] == '' and '+inf' or '(' .. ARGV[8]
local page = { '' }
local last = ''
local offset = 0
local heads = {}

local function isHead(job)
  if not job.grp or job.grp == job.id then return true end
  local key = pair(job.t, job.grp)
  if not heads[key] then heads[key] = headOf(job.grp, job.t, queue) end
  return heads[key] == job.id
end

local function groupBehind(job)
  if memberOf(job.id, job.t, '', job.id) then return job.id end
  if job.grp and job.grp ~= job.id and memberOf(job.grp, job.t, '', job.id) then return job.grp end
  return ''
end

while true do
  loaded, written = {}, {}
  local flat = call('ZREVRANGEBYSCORE', index, before, '-inf', 'WITHSCORES', 'LIMIT', offset, 100)
  if #flat == 0 then return page end
  if folded and offset >= LIST_SCANNED then
    page[1] = last
    return page
  end
  offset = offset + 100
  local ids = {}
  for at = 1, #flat, 2 do ids[#ids + 1] = flat[at] end
  preload(ids)
  for at = 1, #flat, 2 do
    local id = flat[at]
    local job = load(id)
    if (queue == '' or job.q == queue) and (tenant == '' or job.t == tenant) and (state == '' or job.st == state)
      and (group == '' or job.grp == group) and (not folded or isHead(job)) then
      if #page > limit then
        page[1] = last
        return page
      end
      local found = view(id)
      if folded then found[3] = groupBehind(job) end
      page[#page + 1] = found
      last = flat[at + 1]
    elseif folded then
      last = flat[at + 1]
    end
  end
end
