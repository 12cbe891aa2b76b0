-- What people and deadlines do to jobs from outside.
local function stopJob(job, state, cause, message)
  if job.st == 'running' then closeAttempt(job, cause, message, nil, 'cancel') end
  finishJob(job, state, cause, message)
end
