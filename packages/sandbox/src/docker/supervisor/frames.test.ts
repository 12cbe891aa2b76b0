import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ReportReader } from './frames.ts';

const KINDS = {
  ready: 'R',
  forked: 'F',
  stdout: 'O',
  stderr: 'X',
  exited: 'L',
  done: 'D',
} as const;

const frame = fc.record({
  kind: fc.constantFrom(...(Object.keys(KINDS) as (keyof typeof KINDS)[])),
  command: fc.nat(),
  payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});

test('frames come out whole and in order, however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(frame), fc.integer({ min: 1, max: 50 }), (frames, size) => {
      const bytes = Buffer.concat(
        frames.flatMap(({ kind, command, payload }) => {
          const header = Buffer.alloc(9);
          header.writeUInt32BE(payload.length, 0);
          header.write(KINDS[kind], 4, 'latin1');
          header.writeUInt32BE(command, 5);
          return [header, payload];
        }),
      );
      const reader = new ReportReader();
      const found = [];
      for (let at = 0; at < bytes.length; at += size)
        found.push(...reader.push(bytes.subarray(at, at + size)));
      expect(found).toEqual(frames);
    }),
  );
});

test('an invalid frame ends the stream', () => {
  expect(() => new ReportReader().push(Buffer.from('\0\0\0\0Z\0\0\0\0'))).toThrow(/not a frame/);
  expect(() => new ReportReader().push(Buffer.from('\xff\xff\xff\xffO\0\0\0\0', 'latin1'))).toThrow(
    /not a frame/,
  );
});
