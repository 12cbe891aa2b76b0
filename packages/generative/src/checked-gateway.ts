/**
 * A gateway with the checks of values that the faces of a node make: a program in JavaScript may
 * pass anything, and what an upstream makes of it would count as the upstream's failure.
 */
import { SkeinError } from '@skein/api/errors';
import type { Caller, EmbedRequest, Gateway, GenerateRequest } from './contract.ts';
import { FieldError } from './field-error.ts';

const ROLES: ReadonlySet<string> = new Set(['system', 'user', 'assistant', 'tool']);

export function checkedGateway(gateway: Gateway): Gateway {
  return {
    ...gateway,
    async generate(request, caller) {
      checkGenerate(request);
      checkCaller(caller);
      return gateway.generate(request, caller);
    },
    async embed(request, caller) {
      checkEmbed(request);
      checkCaller(caller);
      return gateway.embed(request, caller);
    },
    async countTokens(request, caller) {
      checkGenerate(request);
      checkCaller(caller);
      return gateway.countTokens(request, caller);
    },
  };
}

/** @throws SkeinError REQUEST_INVALID. */
export function checkObject(what: string, value: unknown): void {
  if (typeof value === 'object' && value !== null) return;
  throw new SkeinError('REQUEST_INVALID', `${what} must be an object.`);
}

function checkGenerate(request: GenerateRequest): void {
  checkObject('The request', request);
  hold('model', typeof request.model === 'string', 'must be a string');
  hold('messages', Array.isArray(request.messages), 'must be a list');
  for (const message of request.messages) {
    checkObject('A message', message);
    hold('role', ROLES.has(message.role), `must be one of ${[...ROLES].join(', ')}`);
    hold('content', Array.isArray(message.content), 'must be a list of parts');
  }
}

function checkEmbed(request: EmbedRequest): void {
  checkObject('The request', request);
  hold('model', typeof request.model === 'string', 'must be a string');
  hold('inputs', Array.isArray(request.inputs), 'must be a list of strings');
}

function checkCaller(caller: Caller): void {
  checkObject('The caller', caller);
  const { tenant, arrivedAt, deadline, signal } = caller;
  hold('tenant', typeof tenant === 'string', 'must be a string');
  hold('arrivedAt', Number.isFinite(arrivedAt), 'must be a time of the clock, in milliseconds');
  const isTime = deadline === undefined || typeof deadline === 'number';
  hold('deadline', isTime && !Number.isNaN(deadline), 'must be a time of the clock');
  hold('signal', (signal as unknown) instanceof AbortSignal, 'must be an AbortSignal');
}

function hold(field: string, isRight: boolean, problem: string): void {
  if (!isRight) throw new FieldError(field, `The field "${field}" ${problem}.`);
}
