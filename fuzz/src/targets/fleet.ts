/** Messages between the members of a fleet, in pieces as a connection brings them. */
import { elementCount } from '@skein/onnx';
import { encodeFrame, FrameReader } from '../../../packages/fleet/src/link/frame.ts';
import { requestOf, shapesOnly } from '../../../packages/fleet/src/link/messages.ts';
import type { ProbeMeta } from '../../../packages/fleet/src/link/messages.ts';
import { framesIn } from '../../../packages/fleet/src/link/testing/frames-in.ts';
import { bytesInput } from '../engine/bytes.ts';
import type { Target } from '../engine/target.ts';

/** Bytes of a message that a member takes. */
const MOST_BYTES = 1 << 20;

export function openFleetFrames(): Target {
  const meta = { id: 'r', deployment: 'm', tenant: 't', protocol: 'http', elapsedMs: 1, leftMs: 9 };
  const tensors = new Map([
    ['x', { type: 'float32' as const, shape: [2], bytes: new Uint8Array(8) }],
    ['s', { type: 'string' as const, shape: [2], elements: [Buffer.from('a'), Buffer.from('bc')] }],
  ]);
  const shapes = [['x', 'float32', [1, 2]]];
  return {
    seeds: [
      Buffer.concat(encodeFrame(meta, tensors)),
      Buffer.concat([...encodeFrame({ ...meta, shapes }), ...encodeFrame(meta)]),
    ],
    structure: bytesInput([
      '"tensors":[[',
      '"string"',
      '"float16"',
      '[9999999999]',
      '[-1]',
      'null',
      '\xff\xff\xff\x7f',
      '"shapes":[["x","int64",[',
    ]),
    // A member that sends no valid message loses its connection, whatever the error.
    refuses: (error) => error instanceof Error && !(error instanceof Wrong),
    run(input) {
      const reader = new FrameReader<ProbeMeta>(MOST_BYTES, { check: () => undefined });
      let bytes = 0;
      for (let at = 0; at < input.length; at += 100) {
        for (const { meta, tensors } of framesIn(
          reader,
          Buffer.from(input.subarray(at, at + 100)),
        )) {
          const { inputs } = requestOf(meta, tensors, 0);
          if (meta.shapes !== undefined) shapesOnly(meta.shapes);
          for (const tensor of inputs.values()) {
            const count = tensor.type === 'string' ? tensor.elements.length : undefined;
            if (count !== undefined && count !== elementCount(tensor.shape)) {
              throw new Wrong(`${count} strings in [${tensor.shape}]`);
            }
            bytes += tensor.type === 'string' ? 0 : tensor.bytes.byteLength;
          }
        }
      }
      if (bytes > input.length) throw new Wrong('more was read than was sent');
    },
  };
}

class Wrong extends Error {}
