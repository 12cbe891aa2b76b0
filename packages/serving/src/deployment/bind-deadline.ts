/** Gives a request its deadline: the caller's, else its arrival and the objective of the deployment. */
import type { InferenceRequest, Instant, TargetRequest, TraceContext } from '../contract.ts';

export function bindDeadline(request: InferenceRequest, objectiveMs: number): TargetRequest {
  if (request.deadline !== undefined) return request as TargetRequest;
  return withDeadline(request, request.arrivedAt + objectiveMs);
}

/** One object of one shape, without a spread: it is created for every request. */
function withDeadline(request: InferenceRequest, deadline: Instant): TargetRequest {
  const trace: TraceContext | undefined = request.trace;
  return {
    id: request.id,
    deployment: request.deployment,
    version: request.version,
    inputs: request.inputs,
    memory: request.memory,
    outputs: request.outputs,
    arrivedAt: request.arrivedAt,
    deadline,
    isObjective: true,
    priority: request.priority,
    tenant: request.tenant,
    stickyKey: request.stickyKey,
    cancellation: request.cancellation,
    trace,
    takesChunks: request.takesChunks,
    protocol: request.protocol,
  };
}
