-- Notes the artifact of the last checkpoint.
-- ARGV[3] token, [4] digest. @returns 1, or 0 when the token is stale.
local job = leased(ARGV[3])
if not job then return 0 end
set(job, 'cp', ARGV[4])
complete()
return 1
