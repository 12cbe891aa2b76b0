-- A page of jobs, newest first, from the narrowest index that the filter has.
-- ARGV[3] queue, [4] tenant, [5] state, [6] group ('' for any), [7] limit, [8] before which number or ''.
-- @returns the number to go on from or '', then views.
local queue, tenant, state, group, limit = ARGV[3], ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local index = P .. 'jobs'
if tenant ~= '' then index = P .. 'tenant-jobs:' .. tenant end
if queue ~= '' and state ~= '' then index = stateKey(queue, state) end
if group ~= '' then index = P .. 'group:' .. group end
local before = ARGV[8] == '' and '+inf' or '(' .. ARGV[8]
local page = { '' }
local last = ''
local offset = 0
while true do
  loaded, written = {}, {}
  local flat = call('ZREVRANGEBYSCORE', index, before, '-inf', 'WITHSCORES', 'LIMIT', offset, 100)
  if #flat == 0 then return page end
  offset = offset + 100
  local ids = {}
  for at = 1, #flat, 2 do ids[#ids + 1] = flat[at] end
  preload(ids)
  for at = 1, #flat, 2 do
    local id = flat[at]
    local job = load(id)
    if (queue == '' or job.q == queue) and (tenant == '' or job.t == tenant) and (state == '' or job.st == state)
      and (group == '' or job.grp == group) then
      if #page > limit then
        page[1] = last
        return page
      end
      page[#page + 1] = view(id)
      last = flat[at + 1]
    end
  end
end
