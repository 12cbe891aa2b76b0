/**
 * Frames on a link between two ranks:
 *
 *   length of the body, u32 │ kind, u32 │ tag, u32 │ data … │ code, 16 bytes
 *                             └────── body ──────┘
 *
 * Little-endian. The code is an HMAC-SHA-256 of the frame's number, its length and its body under
 * the key of the session and the direction, cut to 128 bits (RFC 2104, §5). It detects a frame that
 * was changed, dropped, repeated or forged. The length is checked before memory is allocated for
 * the body.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * `lost`: the rank in the tag is lost. `waiting`: this rank is alive and waits for the rank before
 * it.
 */
export const KIND = { data: 1, lost: 2, waiting: 3 } as const;

export interface Frame {
  readonly kind: number;
  /** Identifies the operation that a frame belongs to. */
  readonly tag: number;
  readonly data: Uint8Array;
}

/** Bytes of data in a frame at most. */
export const MOST_DATA = 1 << 20;
const HEAD = 8;
const CODE = 16;

/** Writes frames of one direction. */
export function frameWriter(key: Uint8Array): (frame: Frame) => Uint8Array {
  let number = 0n;
  return ({ kind, tag, data }) => {
    const body = HEAD + data.byteLength;
    const frame = Buffer.allocUnsafe(4 + body + CODE);
    frame.writeUInt32LE(body, 0);
    frame.writeUInt32LE(kind, 4);
    frame.writeUInt32LE(tag, 8);
    frame.set(data, 4 + HEAD);
    frame.set(codeOf(key, number++, frame.subarray(0, 4 + body)), 4 + body);
    return frame;
  };
}

/**
 * Reads frames of one direction from a stream of bytes.
 * @returns a function that returns the frames that these bytes complete. It throws an `Error` for a
 * frame that is too long, too short, or whose code is wrong, and must not be called after that.
 */
export function frameReader(key: Uint8Array): (bytes: Uint8Array) => Frame[] {
  let number = 0n;
  let parts: Uint8Array[] = [];
  let held = 0;
  let wanted = 4;
  return (bytes) => {
    const frames: Frame[] = [];
    parts.push(bytes);
    held += bytes.byteLength;
    while (held >= wanted) {
      const all = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      const view = Buffer.from(all.buffer, all.byteOffset, all.byteLength);
      const body = view.readUInt32LE(0);
      if (body < HEAD || body > HEAD + MOST_DATA) throw new Error(`a frame of ${body} bytes`);
      const end = 4 + body + CODE;
      parts = [all];
      wanted = end;
      if (held < end) break;
      const signed = view.subarray(0, 4 + body);
      if (!timingSafeEqual(codeOf(key, number++, signed), view.subarray(4 + body, end))) {
        throw new Error('a frame whose code is wrong');
      }
      frames.push({
        kind: view.readUInt32LE(4),
        tag: view.readUInt32LE(8),
        // A copy is aligned, so that numbers can be read in place.
        data: new Uint8Array(signed.subarray(4 + HEAD)),
      });
      parts = end === held ? [] : [all.subarray(end)];
      held -= end;
      wanted = 4;
    }
    return frames;
  };
}

function codeOf(key: Uint8Array, number: bigint, signed: Uint8Array): Uint8Array {
  const counter = Buffer.allocUnsafe(8);
  counter.writeBigUInt64LE(number);
  return createHmac('sha256', key).update(counter).update(signed).digest().subarray(0, CODE);
}
