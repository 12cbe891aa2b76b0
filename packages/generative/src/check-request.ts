/** Holds a request to the bounds of every provider, so that a local model needs no checks of its own. */
import type { GenerateRequest, Tool } from './contract.ts';
import { FieldError } from './field-error.ts';
import {
  MAX_CHOICES,
  MAX_MESSAGES,
  MAX_SCHEMA,
  MAX_SCHEMA_DEPTH,
  MAX_STOP_LENGTH,
  MAX_STOPS,
  MAX_TOKENS,
  MAX_TOOLS,
  MAX_TOP_LOGPROBS,
} from './limits.ts';

const TOOL_NAME = /^[A-Za-z0-9_.:-]{1,128}$/;

/** @throws FieldError. */
export function checkRequest(request: GenerateRequest): void {
  const { stop = [], tools = [], messages, choices = 1, logprobs = 0, maxTokens, format } = request;
  if (messages.length === 0 && request.prompt === undefined)
    refuse('messages', 'must not be empty');
  if (messages.length > MAX_MESSAGES) refuse('messages', `has more than ${MAX_MESSAGES}`);
  if (stop.length > MAX_STOPS)
    refuse('stop', `has ${stop.length}, at most ${MAX_STOPS} are allowed`);
  if (stop.some((text) => text === '' || text.length > MAX_STOP_LENGTH)) {
    refuse('stop', `must be 1–${MAX_STOP_LENGTH} characters each`);
  }
  if (tools.length > MAX_TOOLS)
    refuse('tools', `has ${tools.length}, at most ${MAX_TOOLS} are allowed`);
  checkToolChoice(request.toolChoice, tools);
  checkWhole('n', choices, 1, MAX_CHOICES);
  checkWhole('logprobs', logprobs, 0, MAX_TOP_LOGPROBS);
  if (maxTokens !== undefined) checkWhole('max_tokens', maxTokens, 1, MAX_TOKENS);
  for (const { name, parameters } of tools) {
    if (!TOOL_NAME.test(name))
      refuse(
        'tools',
        `has the name "${name.slice(0, 40)}", which does not match ${TOOL_NAME.source}`,
      );
    if (parameters !== undefined) checkSchema(`tools.${name}`, parameters);
  }
  if (format?.type === 'schema') checkSchema('response_format', format.schema);
  for (const [name, value] of Object.entries(request.sampling ?? {})) {
    if (value !== undefined && !Number.isFinite(value)) refuse(name, 'must be a number');
  }
  if ((request.sampling?.temperature ?? 0) < 0) refuse('temperature', 'must not be negative');
}

function checkToolChoice(choice: GenerateRequest['toolChoice'], tools: readonly Tool[]): void {
  if (choice === undefined || choice === 'auto' || choice === 'none') return;
  if (tools.length === 0) refuse('tool_choice', 'asks for a call, and the request has no tools');
  if (typeof choice === 'object' && !tools.some(({ name }) => name === choice.name))
    refuse('tool_choice', `asks for "${choice.name}", which is not among the tools`);
}

function checkWhole(field: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  refuse(field, `is ${value}, and must be a whole number from ${least} to ${most}`);
}

function checkSchema(field: string, schema: unknown): void {
  if (depthOf(schema) > MAX_SCHEMA_DEPTH) {
    refuse(
      field,
      `is a schema that is nested deeper than ${MAX_SCHEMA_DEPTH}, or refers to itself`,
    );
  }
  const { length } = JSON.stringify(schema);
  if (length > MAX_SCHEMA) refuse(field, `is a schema of ${length} characters`);
}

/** Stops one level past the limit, so that a cycle ends. */
function depthOf(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null || depth > MAX_SCHEMA_DEPTH) return depth;
  let deepest = depth + 1;
  for (const each of Object.values(value)) deepest = Math.max(deepest, depthOf(each, depth + 1));
  return deepest;
}

function refuse(field: string, problem: string): never {
  throw new FieldError(field, `The field "${field}" ${problem}.`);
}
