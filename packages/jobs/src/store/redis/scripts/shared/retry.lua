-- The next state of a job whose attempt ended without success, and of its gang.

-- Puts a running job back to where it can be claimed again.
local function again(job, cause, message, waitMs)
  job.cause = cause
  move(job, 'blocked')
  set(job, 'msg', message or '')
  clear(job, 'sta', 'held')
  if waitMs > 0 then
    set(job, 'wu', int(now + waitMs))
    setIndex(P .. 'waiting', job.id, int(now + waitMs))
  end
  settle(job)
end

-- All other members stop and are retried.
local function breakGang(key, first, waitMs, preempted)
  local cause = preempted and 'preempted' or 'gang-broken'
  call('HDEL', gangKey(key), 'host', 'port')
  for _, member in ipairs(membersOf(loadGang(key))) do
    if member.id ~= first and member.st == 'running' then
      later[#later + 1] = function()
        local job = load(member.id)
        if job.st ~= 'running' then return end
        local message = 'Another member of its gang stopped.'
        closeAttempt(job, cause, message, nil, 'lost')
        again(job, cause, message, waitMs)
      end
    end
  end
end

-- Exponential backoff with full jitter.
local function backoff(retry, failures)
  local bound = math.min(retry.maxBackoffMs, retry.backoffMs * 2 ^ math.min(failures - 1, 52))
  return math.floor(math.random() * bound)
end

-- The attempt has been closed already.
local function retryOrEnd(job, cause, message, retryable)
  local failures = tonumber(job.fails or 0)
  if cause ~= 'preempted' then
    failures = failures + 1
    set(job, 'fails', failures)
  end
  if not retryable then
    finishJob(job, cause == 'cancelled' and 'cancelled' or 'failed', cause, message)
    return
  end
  local retry = specOf(job).retry
  if failures >= retry.maxAttempts then
    finishJob(job, 'dead', cause, message)
    return
  end
  local waitMs = cause == 'preempted' and 0 or backoff(retry, failures)
  if job.gang then breakGang(job.gang, job.id, waitMs, cause == 'preempted') end
  again(job, cause, message, waitMs)
end
