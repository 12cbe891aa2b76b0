-- Notes how far an attempt is.
-- ARGV[3] token, [4] progress as JSON. @returns 1, or 0 when the token is stale.
local job = leased(ARGV[3])
if not job then return 0 end
set(job, 'prog', ARGV[4])
addEvent(job, 'progress')
complete()
return 1
