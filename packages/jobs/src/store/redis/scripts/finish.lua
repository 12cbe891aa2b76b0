-- Ends attempts; each token has exactly one outcome.
-- Per attempt 6 values from ARGV[3]: token, 'succeeded' or cause, result as JSON or message,
-- retryable (1 or 0), usage as JSON or '', and, when the call was sent before and its answer lost,
-- the id of the job, else ''.
-- @returns per attempt the state of its job, 0 when the token is stale.
local EACH = 6

-- Whether the outcome of this token is the one that was sent before.
local function finishedBefore(token, outcome, id)
  local job = id ~= '' and load(id)
  if not job then return nil end
  for number = 1, tonumber(job.n or 0) do
    if string.match(job['a' .. number], '^%d+') == token then
      local ended = job['e' .. number]
      return ended and string.match(ended, ' (.*)$') == outcome and id
    end
  end
  return nil
end

local function finishOne(token, outcome, content, retryable, usage, id)
  local job = leased(token)
  if not job then return finishedBefore(token, outcome, id) end
  if outcome ~= 'succeeded' then
    closeAttempt(job, outcome, content, usage)
    retryOrEnd(job, outcome, content, retryable == '1')
    return job.id
  end
  closeAttempt(job, outcome, nil, usage)
  set(job, 'res', content)
  if not job.gang then
    finishJob(job, 'succeeded')
    return job.id
  end
  set(job, 'held', 1)
  local members = membersOf(loadGang(job.gang))
  for _, member in ipairs(members) do
    if not member.held then return job.id end
  end
  for _, member in ipairs(members) do finishJob(member, 'succeeded') end
  return job.id
end

local tokens = {}
for index = 3, #ARGV, EACH do tokens[#tokens + 1] = ARGV[index] end
preloadLeased(tokens)
local ended = {}
for index = 3, #ARGV, EACH do
  ended[#ended + 1] = finishOne(ARGV[index], ARGV[index + 1], ARGV[index + 2], ARGV[index + 3], ARGV[index + 4],
    ARGV[index + 5]) or false
end
complete()
for index, id in ipairs(ended) do ended[index] = id and load(id).st or 0 end
return ended
