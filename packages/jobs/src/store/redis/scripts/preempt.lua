-- Asks a running attempt to checkpoint and stop.
-- ARGV[3] id. @returns the view of the job, or 0.
local job = load(ARGV[3])
if not job then return 0 end
if job.st == 'running' and job.tok then
  set(job, 'sig', 'preempt')
  notices[#notices + 1] = { job.w, tonumber(job.tok), 'preempt' }
end
complete()
return view(job.id)
