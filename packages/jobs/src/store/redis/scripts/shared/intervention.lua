-- Transitions that people and deadlines cause from outside.
local function stopJob(job, state, cause, message)
  if job.st == 'running' then closeAttempt(job, cause, message, nil, 'cancel') end
  finishJob(job, state, cause, message)
end
