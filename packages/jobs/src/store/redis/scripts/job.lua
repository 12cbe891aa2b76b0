-- One job.
-- ARGV[3] id. @returns the view of the job, or 0.
if not load(ARGV[3]) then return 0 end
return view(ARGV[3])
