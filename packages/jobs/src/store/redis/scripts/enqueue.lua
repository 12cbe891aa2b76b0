-- Accepts jobs: all of a call or none.
-- ARGV[3] how many, [4] 1 when the call was sent before and its answer lost, [5] most queued and [6] jobs per
-- second of tenants whose settings name no limit or '', then the jobs as shared/enqueue.lua reads them.
-- @returns views of the jobs (of a new one that waits for nothing only 'id time'), or {'refused', code, message, retryAfterMs}.
local jobs = readJobs(7, tonumber(ARGV[3]))
local ids, refused
if ARGV[4] == '1' then ids = accepted(jobs) end
if not ids then
  ids, refused = enqueue(jobs, tonumber(ARGV[5]), tonumber(ARGV[6]))
  if not ids then return refused end
  complete()
end
local views = {}
for index, id in ipairs(ids) do
  local job = jobs[index]
  views[index] = job.simple and job.id == id and id .. ' ' .. moment or view(id)
end
return views
