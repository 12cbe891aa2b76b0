-- Removes an ended job before its retention is over.
-- ARGV[3] id. @returns the view of the job, or 0.
local job = load(ARGV[3])
if not job then return 0 end
local shown = view(job.id)
if ENDED[job.st] then removeJob(job.id) end
complete()
return shown
