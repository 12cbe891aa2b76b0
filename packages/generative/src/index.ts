/** Language models inside a time-to-first-token objective: providers, routing, budgets, caches. */
export type {
  Caller,
  EmbedRequest,
  Embeddings,
  Extra,
  FinishReason,
  Gateway,
  GenerateEvent,
  GenerateRequest,
  Generation,
  Message,
  Part,
  Provider,
  Receipt,
  ResponseFormat,
  Sampling,
  TokenLogprob,
  Tool,
  ToolCall,
  ToolChoice,
  Usage,
} from './contract.ts';
export { FieldError } from './field-error.ts';
export { openGateway } from './gateway.ts';
export type {
  EmbedDeployed,
  GatewayOptions,
  Loss,
  Outcome,
  ProviderFactory,
} from './gateway-options.ts';
export {
  createRolloutTraffic,
  type FollowedRollout,
  type RolloutTraffic,
  type RouteRollout,
  type RouteWindow,
} from './rollout/traffic.ts';
export {
  MAX_CHOICES,
  MAX_INPUTS,
  MAX_MESSAGES,
  MAX_NAME,
  MAX_PARTS,
  MAX_SCHEMA,
  MAX_STOP_LENGTH,
  MAX_STOPS,
  MAX_TOKENS,
  MAX_TOOL_CALLS,
  MAX_TOOLS,
  MAX_TOP_LOGPROBS,
} from './limits.ts';
export { isPointer, referredIn } from './schema-reference.ts';
export { usdText } from './money/price.ts';
export { createRouteMemory, type RouteMemory, type SpentQuota } from './routing/route-memory.ts';
export { createRedactionCounts, type RedactionCounts } from './redaction/counts.ts';
export { systemOf } from './providers/system.ts';
export { redacting } from './redaction/redacting-gateway.ts';
export {
  camelCased,
  googleContent,
  signedThoughts,
  type SignedThought,
} from './wire/google-fields.ts';
export { faultOf, upstreamError } from './wire/upstream-error.ts';
export type { LanguageModelView, ModelView } from './views.ts';
