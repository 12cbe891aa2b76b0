/**
 * Bounds of a request that hold for every provider, so that a face and a local model need no checks
 * of their own. The numbers are above what the large providers take.
 */
import { SkeinError } from '@skein/api/errors';
import type { GenerateRequest } from './contract.ts';

const LIMITS = {
  stop: 16,
  stopLength: 1024,
  tools: 512,
  messages: 100_000,
  choices: 16,
  logprobs: 20,
  schemaBytes: 1 << 20,
  schemaDepth: 64,
} as const;

const TOOL_NAME = /^[A-Za-z0-9_.:-]{1,128}$/;

/** @throws SkeinError REQUEST_INVALID, which names the field. */
export function checkRequest(request: GenerateRequest): void {
  const { stop = [], tools = [], messages, choices = 1, logprobs = 0, maxTokens, format } = request;
  if (messages.length === 0 && request.prompt === undefined)
    refuse('messages', 'must not be empty');
  if (messages.length > LIMITS.messages) refuse('messages', `has more than ${LIMITS.messages}`);
  if (stop.length > LIMITS.stop)
    refuse('stop', `has ${stop.length}, at most ${LIMITS.stop} are allowed`);
  if (stop.some((text) => text === '' || text.length > LIMITS.stopLength)) {
    refuse('stop', `must be 1–${LIMITS.stopLength} characters each`);
  }
  if (tools.length > LIMITS.tools)
    refuse('tools', `has ${tools.length}, at most ${LIMITS.tools} are allowed`);
  checkWhole('n', choices, 1, LIMITS.choices);
  checkWhole('logprobs', logprobs, 0, LIMITS.logprobs);
  if (maxTokens !== undefined) checkWhole('max_tokens', maxTokens, 1, 10_000_000);
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

function checkWhole(field: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  refuse(field, `is ${value}, and must be a whole number from ${least} to ${most}`);
}

function checkSchema(field: string, schema: unknown): void {
  if (depthOf(schema) > LIMITS.schemaDepth) {
    refuse(
      field,
      `is a schema that is nested deeper than ${LIMITS.schemaDepth}, or refers to itself`,
    );
  }
  const { length } = JSON.stringify(schema);
  if (length > LIMITS.schemaBytes) refuse(field, `is a schema of ${length} characters`);
}

/** Stops one level past the limit, so that a cycle ends. */
function depthOf(value: unknown, depth = 0): number {
  if (typeof value !== 'object' || value === null || depth > LIMITS.schemaDepth) return depth;
  let deepest = depth + 1;
  for (const each of Object.values(value)) deepest = Math.max(deepest, depthOf(each, depth + 1));
  return deepest;
}

function refuse(field: string, problem: string): never {
  throw new SkeinError('REQUEST_INVALID', `The field "${field}" ${problem}.`);
}
