import { describe, expect, it } from 'vitest';
import { ENDPOINTS } from './endpoints.ts';
import type { Endpoint } from './endpoint.ts';
import { SkeinError } from './errors.ts';
import { createSchemaCollector, type JsonSchema } from './documents/json-schema.ts';
import { validate } from './validation.ts';

const deploy = ENDPOINTS.deploy.body;

function messageOf(value: unknown, schema: Parameters<typeof validate>[0] = deploy): string {
  try {
    validate(schema, value, 'body');
  } catch (error) {
    if (error instanceof SkeinError && error.code === 'REQUEST_INVALID') return error.message;
    throw error;
  }
  throw new Error('It was valid.');
}

describe('validate', () => {
  it('fills in defaults', () => {
    const plan = { strategy: 'canary' };
    expect(validate(deploy, { name: 'a', version: '1', plan }, 'body').plan?.steps).toEqual([
      5, 25, 50, 100,
    ]);
  });

  it('refuses a command without a program, whose job would have no name either', () => {
    for (const argv of [[''], ['', 'x']]) {
      const jobs = [{ work: { kind: 'command', argv } }];
      expect(messageOf({ jobs }, ENDPOINTS.enqueueJobs.body)).toMatch(/must begin with a program/);
    }
  });

  it('fills in the other fields of an object that gives one', () => {
    const work = { kind: 'command', argv: ['true'] };
    const jobs = [{ work, retry: { maxAttempts: 5 }, resources: { cores: 2 } }];
    expect(validate(ENDPOINTS.enqueueJobs.body, { jobs }, 'body').jobs[0]).toMatchObject({
      retry: { maxAttempts: 5, backoffMs: 1000, maxBackoffMs: 300_000 },
      resources: { cores: 2, memoryBytes: 512 * 1024 * 1024 },
    });
    expect(validate(ENDPOINTS.putTenant.body, { maxRunning: 3 }, 'body')).toEqual({
      weight: 1,
      maxRunning: 3,
    });
  });

  it('lets every object that has a default be given in part', () => {
    const collector = createSchemaCollector();
    for (const { body } of Object.values<Endpoint>(ENDPOINTS))
      if (body) collector.schemaOf(body, 'input');
    const defaulted: string[] = [];
    const inspect = (schema: JsonSchema, name: string): void => {
      if (schema.properties !== undefined && typeof schema.default === 'object') {
        defaulted.push(name);
        expect(schema.required ?? [], name).toEqual([]);
      }
      for (const [key, field] of Object.entries(schema.properties ?? {})) {
        inspect(field, `${name}.${key}`);
      }
      for (const member of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])]) {
        inspect(member, name);
      }
    };
    for (const [name, schema] of Object.entries(collector.components)) inspect(schema, name);
    expect(defaulted).toEqual(expect.arrayContaining(['NewJob.retry', 'NewJob.resources']));
    expect(defaulted).toContain('NewJob.work.limits');
  });

  it('leaves absent settings out, because the result is merged over the current ones', () => {
    const body = {
      name: 'a',
      version: '1',
      settings: { objective: { latencyMs: 5 }, cache: null },
    };
    expect(validate(deploy, body, 'body').settings).toEqual({
      objective: { latencyMs: 5 },
      cache: null,
    });
  });

  it.each([
    [undefined, 'The body is missing (expected object).'],
    [[], 'The body is invalid: expected object, received array.'],
    [{ version: '1' }, 'The field "name" of the body is missing (expected string).'],
    [
      { name: 'Über', version: '1' },
      'The field "name" of the body is invalid: must be 1–63 of a–z, 0–9, ".", "_", "-", starting and ending with a letter or digit, got "Über".',
    ],
    [
      { name: 'a', version: '1', settings: { objective: { latencyMs: 'fast' } } },
      'The field "settings.objective.latencyMs" of the body is invalid: expected number, received string, got "fast".',
    ],
    [
      { name: 'a', version: '1', settings: { objective: { quantil: 1 } } },
      'The body has no field "settings.objective.quantil"; known are latencyMs, quantile.',
    ],
    [
      { name: 'a', version: '1', plan: { steps: [5, -1] } },
      'The field "plan.steps[1]" of the body is invalid: Too small: expected number to be >0, got -1.',
    ],
  ])('explains why %j is invalid', (value, message) => {
    expect(messageOf(value)).toBe(message);
  });

  it('reports three problems and counts the rest', () => {
    const settings = { threads: 0, device: 'tpu', maxQueue: -1, isolation: 'none', batching: 1 };
    expect(messageOf({ name: 'a', version: '1', settings })).toMatch(/ And 2 more\.$/);
  });

  it('does not repeat long values', () => {
    const secret = 'x'.repeat(500);
    expect(messageOf({ name: secret, version: '1' })).not.toContain(secret);
  });
});
