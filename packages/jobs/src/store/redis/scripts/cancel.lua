-- Ends a job that has not ended; its worker is notified at once.
-- ARGV[3] id, [4] reason. @returns the view of the job, or 0.
local job = load(ARGV[3])
if not job then return 0 end
if not ENDED[job.st] then stopJob(job, 'cancelled', 'cancelled', ARGV[4]) end
complete()
return view(job.id)
