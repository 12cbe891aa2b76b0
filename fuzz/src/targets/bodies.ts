/** JSON that a node or its clients read by a schema: management calls, records of runs, answers, events. */
import { ENDPOINTS, Run, SkeinError, validate, type Endpoint, type OperationId } from '@skein/api';
import { standing } from '@skein/state/runs';
import { createEventStreamReader } from '../../../packages/api/src/client/event-stream.ts';
import { decodeAnswer } from '../../../packages/api/src/client/tensors.ts';
import { frameReader, frameWriter, KIND } from '../../../packages/train/src/parallel/ring/frame.ts';
import { sampleRun } from '../../../packages/state/src/runs/testing/sample-run.ts';
import { bytesInput } from '../engine/bytes.ts';
import { jsonInput } from '../engine/json.ts';
import type { Target } from '../engine/target.ts';

const isCoded = (error: unknown) => error instanceof SkeinError;

/** `{operation, params, query, body}` of every call of the management API, against its schemas. */
export function openManagementBodies(): Target {
  const endpoints: Readonly<Record<string, Endpoint>> = ENDPOINTS;
  const seeds = Object.entries(endpoints).map(([operation, { example }]) => ({
    operation,
    ...example,
  }));
  return {
    seeds: seeds.map((seed) => Buffer.from(JSON.stringify(seed))),
    structure: jsonInput([
      ...Object.keys(endpoints),
      '2030-01-01T00:00:00Z',
      'a'.repeat(5000),
      1e21,
      -0.5,
    ]),
    refuses: (error) => isCoded(error) || error instanceof SyntaxError,
    run(input) {
      const call = JSON.parse(Buffer.from(input).toString()) as Record<string, unknown> | null;
      const operation = call?.['operation'];
      if (typeof operation !== 'string' || !Object.hasOwn(endpoints, operation)) return;
      const { params, query, body } = endpoints[operation as OperationId]!;
      if (params !== undefined) validate(params, call?.['params'] ?? {}, 'path');
      if (query !== undefined) validate(query, call?.['query'] ?? {}, 'query');
      if (body !== undefined) validate(body, call?.['body'] ?? {}, 'body');
    },
  };
}

/** `run.json`, which a node reads from folders that it shares with trainings. */
export function openRunRecords(): Target {
  const digest = 'a'.repeat(64);
  const report = {
    kind: 'regression',
    rows: 5,
    loss: 0.1,
    mae: 0.1,
    rmse: 0.1,
    r2: null,
  } as const;
  const seeds = [
    sampleRun('a'),
    sampleRun('b', { status: 'finished', result: { digest, sizeBytes: 10, report } }),
  ].map((run) => ({ ...run, process: { host: 'h', pid: 1 } }));
  return {
    seeds: seeds.map((run) => Buffer.from(JSON.stringify(run))),
    structure: jsonInput(['running', 'interrupted', digest, -1, 'regression']),
    refuses: (error) => error instanceof SyntaxError || (error as Error).name === 'ZodError',
    run(input) {
      const run = Run.parse(JSON.parse(Buffer.from(input).toString()));
      standing(run, () => false);
    },
  };
}

/**
 * The parts of a node's responses that a client parses: a response, with its JSON's length before
 * it, and a stream of events.
 */
export function openAnswers(): Target {
  const json = Buffer.from(
    JSON.stringify({
      model_name: 'echo',
      outputs: [
        { name: 'y', datatype: 'FP32', shape: [2], parameters: { binary_data_size: 8 } },
        { name: 's', datatype: 'BYTES', shape: [1], parameters: { binary_data_size: 5 } },
        { name: 'n', datatype: 'INT64', shape: [1], data: [1] },
      ],
    }),
  );
  const binary = Buffer.concat([Buffer.alloc(8), Buffer.from([1, 0, 0, 0, 65])]);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(json.length);
  return {
    seeds: [
      Buffer.concat([length, json, binary]),
      Buffer.from('xxevent: a\r\nid: 1\ndata: {"b":1}\ndata: 2\n\n: comment\nretry: 10\n\n'),
    ],
    structure: bytesInput([
      '"FP32"',
      '"BYTES"',
      '"binary_data_size":',
      '-1',
      'null',
      '[[',
      '\n\n',
      '\r',
      'data: ',
      'retry: 1e9',
      'id: \0',
    ]),
    refuses: isCoded,
    run(input) {
      const bytes = Buffer.from(input);
      const reader = createEventStreamReader();
      const text = bytes.toString('utf8', 2);
      for (const part of [text.slice(0, text.length >> 1), text.slice(text.length >> 1)])
        reader.push(part);
      if (bytes.length < 2) return;
      const body = Uint8Array.from(bytes.subarray(2)).buffer;
      decodeAnswer(body, Math.min(bytes.readUInt16LE(), body.byteLength));
    },
  };
}

const RING_KEY = Buffer.alloc(32, 7);

/** Frames between the ranks of a training, behind the key that they share. */
export function openRingFrames(): Target {
  const frame = frameWriter(RING_KEY);
  const frames = [1, 2, 3].map((tag) =>
    frame({ kind: KIND.data, tag, data: Buffer.alloc(tag * 8) }),
  );
  return {
    seeds: [Buffer.concat(frames), frames[0]!],
    structure: bytesInput(['\x08\0\0\0', '\xff\xff\xff\xff']),
    refuses: (error) => error instanceof Error && error.message.startsWith('a frame '),
    run(input) {
      const read = frameReader(RING_KEY);
      let bytes = 0;
      for (const part of [
        input.subarray(0, input.length >> 1),
        input.subarray(input.length >> 1),
      ]) {
        for (const { data } of read(part)) bytes += data.length;
      }
      if (bytes > input.length) throw new Error('more was read than was sent');
    },
  };
}
