import { SkeinError } from '@skein/api';
import { tensor, type Tensor } from '@skein/onnx';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { InferenceAnswer } from '@skein/serving';
import type { TargetRequest } from '@skein/serving/contract';
import { issueToken } from '@skein/http';
import { accessLog } from './access-log.ts';
import { createLogger, type LogFormat, type LogLevel } from './log.ts';
import { combineObservers } from './observer.ts';

let written = '';
beforeEach(() => {
  written = '';
});
const logger = (format: LogFormat = 'json', level: LogLevel = 'info') =>
  createLogger(format, level, { write: (line: string) => void (written += line) });
const lines = () =>
  written
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const PAYLOAD = 'patient 4711 has a secret';
const request: TargetRequest = {
  id: 'r1',
  deployment: 'risk',
  inputs: new Map<string, Tensor>([
    ['text', { type: 'string', shape: [1], elements: [Buffer.from(PAYLOAD)] }],
    ['x', tensor('uint8', [25], new Uint8Array(Buffer.from(PAYLOAD)))],
  ]),
  arrivedAt: 100,
  deadline: 200,
  priority: 0,
  tenant: 'ward',
  protocol: 'http',
};

describe('the log', () => {
  it('is one JSON object per line, with time, level and message', () => {
    logger().warn({ deployment: 'risk', count: 3 }, 'something');
    expect(lines()).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        deployment: 'risk',
        count: 3,
        msg: 'something',
      },
    ]);
  });

  it('has a readable format, and is silent when it is off', () => {
    logger('pretty').info({ deployment: 'risk' }, 'Replica a is ready.');
    expect(written).toMatch(
      /^\[\d\d:\d\d:\d\d\] INFO: Replica a is ready\. \{"deployment":"risk"\}\n$/,
    );
    written = '';
    // Names and messages of jobs and callers are text: they must not set the terminal's title or
    // add a line.
    const name = 'a\u001B]0;x\u0007\u009B2J\u202E';
    logger('pretty').warn({ name, [name]: { err: new Error(name).message } }, `${name}\nINFO: ok`);
    // eslint-disable-next-line no-control-regex
    expect(written).not.toMatch(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u202A-\u202E]/);
    expect(written).toContain('a\\u001b]0;x\\u0007\\u009b2J\\u202e\\nINFO: ok');
    expect(written.match(/\n/g)).toHaveLength(1);
    written = '';
    logger('off').error({}, 'nothing');
    expect(written).toBe('');
  });

  it('includes an error with its cause', () => {
    const cause = new RangeError('deep');
    logger().error({ err: new SkeinError('INTERNAL', 'outer', { cause }) }, 'failed');
    expect(lines()[0]?.['err']).toMatchObject({
      type: 'SkeinError',
      message: 'outer',
      code: 'INTERNAL',
      stack: expect.stringContaining('log.test.ts') as string,
      cause: { type: 'RangeError', message: 'deep' },
    });
  });
});

describe('redaction', () => {
  it.each<[string, object]>([
    ['a request', { request }],
    ['its tensors', { inputs: request.inputs, outputs: request.inputs }],
    ['tensors under another name', { batch: request.inputs, one: request.inputs.get('x') }],
    ['a buffer', { chunk: Buffer.from(PAYLOAD), view: new DataView(new ArrayBuffer(4)) }],
    ['a body', { body: PAYLOAD, http: { BODY: { deep: PAYLOAD } } }],
    ['a buffer as JSON', { parsed: JSON.parse(JSON.stringify(Buffer.from(PAYLOAD))) as object }],
    ['a request on an error', { err: Object.assign(new Error('failed'), { request }) }],
  ])('keeps the payload of %s out', (_, details) => {
    for (const format of ['json', 'pretty'] as const) logger(format).error(details, 'x');
    expect(written).not.toMatch(/4711|patient|112,97,116|cGF0aWVud/);
    expect(written.length).toBeGreaterThan(20);
  });

  it('removes keys, wherever they are', () => {
    const { token, hash } = issueToken();
    const secret = token.slice(-43);
    const log = logger('json', 'debug');
    log.info({ headers: { authorization: `Bearer ${token}`, Authorization: token } }, 'x');
    log.info({ key: { secretHash: hash, secret: token } }, 'x');
    log.info({ url: `/x?key=${token}` }, `called with ${token}`);
    log.info(`only text: ${token}`);
    log.error({ err: new Error(`bad key ${token}`) }, 'x');
    logger('pretty').warn({ note: token }, token);
    expect(written).not.toContain(secret);
    expect(written).not.toContain(hash);
    expect(written).toContain(token.slice(0, 18));
  });

  it('accepts and bounds any value', () => {
    const circular: Record<string, unknown> = { name: 'a' };
    circular['self'] = circular;
    const hostile = {
      circular,
      bigint: 12n,
      symbol: Symbol('s'),
      call: () => 1,
      none: undefined,
      long: 'x'.repeat(100_000),
      numbers: Array.from({ length: 10_000 }, (_, index) => index),
      twice: [circular, circular],
    };
    logger().info(hostile, 'x');
    expect(lines()[0]).toMatchObject({
      circular: { name: 'a', self: '[circular]' },
      bigint: '12',
      numbers: '[10000 entries]',
    });
    expect(written.length).toBeLessThan(6000);
    fc.assert(
      fc.property(
        fc.object({ withBigInt: true, withTypedArray: true, withMap: true }),
        (details) => {
          written = '';
          logger().info(details, 'x');
          expect(lines()).toHaveLength(1);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('the access log', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const answer = {
    version: '2',
    outputs: request.inputs,
    times: { queueMs: 1, computeMs: 2, batchRows: 3 },
    cached: false,
  };

  it('writes requests only at debug, and never their tensors', () => {
    accessLog(logger()).answered(request, answer, 104);
    expect(written).toBe('');
    accessLog(logger('json', 'debug')).answered(request, answer, 104);
    expect(lines()).toEqual([
      expect.objectContaining({ msg: 'answered', requestId: 'r1', totalMs: 4, inTime: true }),
    ]);
    expect(written).not.toContain('4711');
  });

  it('summarises refusals once per second', () => {
    const log = accessLog(logger());
    const refuse = (code: 'QUEUE_FULL' | 'NO_REPLICA' | 'INPUT_SHAPE') =>
      log.refused(request, new SkeinError(code, ''), 101);
    for (let count = 0; count < 500; count += 1) refuse('QUEUE_FULL');
    refuse('NO_REPLICA');
    refuse('INPUT_SHAPE');
    expect(written).toBe('');
    vi.advanceTimersByTime(1000);
    expect(lines().map(({ code, count }) => [code, count])).toEqual([
      ['QUEUE_FULL', 500],
      ['NO_REPLICA', 1],
    ]);
    vi.advanceTimersByTime(10_000);
    expect(lines()).toHaveLength(2);
    refuse('QUEUE_FULL');
    vi.advanceTimersByTime(1000);
    expect(lines()).toHaveLength(3);
  });

  it('distinguishes ready replicas from lost ones', () => {
    const log = accessLog(logger());
    const replica = { id: 'a', busy: false, since: 0, runs: 7 };
    log.replicaChanged('risk', '1', { ...replica, state: 'loading' });
    log.replicaChanged('risk', '1', { ...replica, state: 'ready' });
    log.replicaChanged('risk', '1', { ...replica, state: 'gone', failure: 'signal SIGABRT' });
    expect(lines().map(({ level, state }) => [level, state])).toEqual([
      ['info', 'ready'],
      ['warn', 'gone'],
    ]);
    expect(lines()[1]?.['failure']).toBe('signal SIGABRT');
  });
});

describe('combined observers', () => {
  it('are called for every event, in order', () => {
    const calls: string[] = [];
    const observer = (name: string) => ({
      answered: () => void calls.push(`${name} answered`),
      refused: () => void calls.push(`${name} refused`),
      batchRan: () => void calls.push(`${name} batchRan`),
      replicaChanged: () => void calls.push(`${name} replicaChanged`),
      scaled: () => void calls.push(`${name} scaled`),
    });
    const all = combineObservers([observer('a'), observer('b')]);
    const replica = { id: 'a', busy: false, since: 0, runs: 7, state: 'ready' as const };
    all.answered(request, {} as InferenceAnswer, 1);
    all.refused(request, new SkeinError('QUEUE_FULL', ''), 1);
    all.batchRan('risk', '1', 1, { inputMs: 0.5, computeMs: 1, outputMs: 0.25 });
    all.replicaChanged('risk', '1', replica);
    all.scaled!({ deployment: 'risk', version: '1', from: 1, to: 2, cause: 'demand' });
    expect(calls).toEqual(
      ['answered', 'refused', 'batchRan', 'replicaChanged', 'scaled'].flatMap((what) => [
        `a ${what}`,
        `b ${what}`,
      ]),
    );
    combineObservers([]).batchRan('risk', '1', 1, { inputMs: 0.5, computeMs: 1, outputMs: 0.25 });
  });
});
