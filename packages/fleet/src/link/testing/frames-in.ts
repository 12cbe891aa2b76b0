import type { Frame, FrameReader } from '../frame.ts';

/** The frames that are whole with this chunk. */
export function* framesIn<Meta>(reader: FrameReader<Meta>, chunk: Buffer): Generator<Frame<Meta>> {
  reader.add(chunk);
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) yield frame;
}
