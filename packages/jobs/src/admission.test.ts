import { describe, expect, it } from 'vitest';
import { NewJob, validate, type NewJobInput } from '@skein/api';
import { cacheKeyOf, scheduledSpecOf, specOf } from './admission.ts';
import type { Work } from './work.ts';
import { command } from './worker/testing/worker-fixture.ts';

const digest = 'a'.repeat(64);
const other = 'b'.repeat(64);
const work = command(['sort', 'in'], {
  inputs: [{ path: 'in', digest }],
  outputs: [{ path: 'out' }],
  env: { LANG: 'C', TZ: 'UTC' },
  image: 'tools:1',
});
const task = {
  kind: 'task',
  task: 't',
  module: { path: '/t.ts' },
  input: { n: 1 },
  limits: {},
} as const;

describe('the same work', () => {
  const same: readonly [string, Work][] = [
    ['limits', { ...work, limits: { memoryBytes: 2 ** 30, wallMs: 5 } }],
    ['the order of fields', { ...work, env: { TZ: 'UTC', LANG: 'C' } }],
    ['what is absent', { ...work, stdin: undefined }],
  ];
  it.each(same)('has one key whatever %s', (_, changed) => {
    expect(cacheKeyOf(changed, 't')).toBe(cacheKeyOf(work, 't'));
  });

  const different: readonly [string, Work][] = [
    ['words', { ...work, argv: ['sort', '-r', 'in'] }],
    ['the content of an input', { ...work, inputs: [{ path: 'in', digest: other }] }],
    ['the path of an input', { ...work, inputs: [{ path: 'into', digest }] }],
    ['outputs', { ...work, outputs: [] }],
    ['a variable', { ...work, env: { ...work.env, TOOLS: '2' } }],
    ['the name of the image', { ...work, image: 'tools:2' }],
    ['having no image', { ...work, image: undefined }],
    ['the network', { ...work, network: { allow: ['a:80'] } }],
    ['stdin', { ...work, stdin: other }],
  ];
  it.each(different)('has another key when it differs in %s', (_, changed) => {
    expect(cacheKeyOf(changed, 't')).not.toBe(cacheKeyOf(work, 't'));
  });

  it('has another key in another tenant', () => {
    expect(cacheKeyOf(work, 'other')).not.toBe(cacheKeyOf(work, 't'));
  });

  it('of a task is known by its input, and its module by path or content', () => {
    const keys = [
      task,
      { ...task, input: { n: 2 } },
      { ...task, module: { path: '/other.ts' } },
      { ...task, module: { digest } },
      { ...task, module: { digest: other } },
    ].map((each) => cacheKeyOf(each, 't'));
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('a job that is accepted', () => {
  const accept = (job: NewJobInput, mayTrust = false) =>
    specOf(validate(NewJob, job, 'job'), { tenant: 't', mayTrust }, 1000);
  const plain = { kind: 'command' as const, argv: ['true'] };

  it('has the tenant of its caller, absolute times, and a key only when it asks for one', () => {
    const spec = accept({ work: plain, startAfterMs: 5, finishWithinMs: 70, requires: ['b', 'a'] });
    expect(spec).toMatchObject({
      name: 'true',
      tenant: 't',
      notBefore: 1005,
      deadline: 1070,
      requires: ['a', 'b'],
    });
    expect(spec.cacheKey).toBeUndefined();
    expect(accept({ work: plain, cache: true }).cacheKey).toMatch(/^[0-9a-f]{64}$/);
  });

  const trusting: readonly [string, NewJobInput['work']][] = [
    ['runs a task without isolation', task],
    ['is to be trusted', { ...plain, trusted: true }],
    ['asks for the process driver', { ...plain, sandbox: 'process' }],
    ['asks for the network of the host', { ...plain, network: 'host' }],
    ['asks for the image "/"', { ...plain, image: '/' }],
    ['asks for the image "debian:13"', { ...plain, image: 'debian:13' }],
  ];
  const withNul: readonly [string, object][] = [
    ['argv[1]', { argv: ['echo', 'a\0b'] }],
    ['env.WORD', { env: { WORD: 'a\0b' } }],
    ['inputs[0].path', { inputs: [{ path: 'a\0b', digest }] }],
    ['outputs[0].path', { outputs: [{ path: 'a\0b' }] }],
    ['checkpoint', { checkpoint: 'a\0b' }],
    ['image', { image: 'a\0b' }],
  ];
  it.each(withNul)('has no NUL character in %s: its command could not start', (field, part) => {
    const submitted = { work: { kind: 'command', argv: ['true'], ...part } };
    expect(() => validate(NewJob, submitted, 'job')).toThrow(
      `The field "work.${field}" of the job is invalid: must not have a NUL character`,
    );
  });

  it('may name an image that is registered', () => {
    for (const image of ['judge', 'skein-sandbox:judge']) {
      expect(accept({ work: { ...plain, image } }).work).toMatchObject({ image });
    }
  });

  it('may not have limits above its resources, unless the caller is trusted', () => {
    const resources = { cores: 2, memoryBytes: 2 ** 30 };
    for (const [limit, most] of [
      ['memoryBytes', 2 ** 30],
      ['cores', 2],
      ['pids', 4096],
    ] as const) {
      const asking = (value: number): NewJobInput => ({
        work: { ...plain, limits: { [limit]: value } },
        resources,
      });
      expect(() => accept(asking(most))).not.toThrow();
      expect(() => accept(asking(most + 1))).toThrow(`limits.${limit} is ${most + 1}`);
      expect(() => accept(asking(most + 1), true)).not.toThrow();
    }
  });

  it.each(trusting)('needs a trusted caller when it %s', (why, asked) => {
    expect(() => accept({ work: asked })).toThrow(why);
    expect(accept({ work: asked }, true).tenant).toBe('t');
  });
});

describe('the job of a schedule', () => {
  const accept = (job: NewJobInput) =>
    scheduledSpecOf(validate(NewJob, job, 'job'), { tenant: 't', mayTrust: true });
  const plain = { kind: 'command' as const, argv: ['true'] };

  it('keeps its times relative, and has no id of its own', () => {
    const spec = accept({ work: plain, startAfterMs: 5, finishWithinMs: 70 });
    expect(spec).toMatchObject({ tenant: 't', name: 'true', startAfterMs: 5, finishWithinMs: 70 });
    expect(spec).not.toHaveProperty('id');
    expect(spec).not.toHaveProperty('deadline');
    expect(spec).not.toHaveProperty('notBefore');
  });

  it.each([
    { id: 'one' },
    { idempotencyKey: 'one' },
    { gang: { id: 'g', size: 2, rank: 0 } },
    { parents: ['one'] },
  ])('is refused with what only one job has: %j', (once) => {
    expect(() => accept({ work: plain, ...once })).toThrow(
      `The job of a schedule has "${Object.keys(once)[0]}"`,
    );
  });
});

describe('an address with a credential', () => {
  const address = 'https://b.example/a.csv?X-Amz-Signature=s3cr3t';
  const map = (name: string, input: unknown): NewJobInput => ({
    work: { ...task, task: name, module: { offered: true }, input },
  });
  const owner = { tenant: 't', mayTrust: true };
  const admissible = (name: string, input: unknown) => validate(NewJob, map(name, input), 'job');

  it.each<readonly [string, unknown]>([
    ['skein-map', { tables: { data: { addresses: ['s3://b/a.csv', address] } } }],
    ['skein-map-list', { addresses: [address] }],
    ['skein-map-statement', { tables: { data: { shards: [{ address, sizeBytes: 1 }] } } }],
  ])('is refused in the input of %s before it is stored', (name, input) => {
    const admit = () => specOf(admissible(name, input), owner, 0);
    expect(admit).toThrow(/b\.example\/a\.csv: the parameter X-Amz-Signature.*--token-env/);
    expect(admit).not.toThrow('s3cr3t');
  });

  it('is refused in a schedule', () => {
    const input = { tables: { data: { addresses: [address] } } };
    const admit = () => scheduledSpecOf(admissible('skein-map', input), owner);
    expect(admit).toThrow('--token-env');
  });

  it('is left to other tasks', () => {
    expect(() => specOf(admissible('mine', { address }), owner, 0)).not.toThrow();
  });
});
