/**
 * The frames that the node and the supervisor inside a container exchange:
 * `[length of payload: u32][kind: u8][command: u32][payload]`, big-endian.
 */

const HEADER_BYTES = 9;
/** The supervisor sends no longer frame; a longer one is a broken stream. */
const MAX_PAYLOAD_BYTES = 1 << 20;

/** Towards the supervisor. */
export type Order = 'prepare' | 'go' | 'stdin' | 'stdin-end' | 'ack' | 'kill' | 'signal' | 'swept';
/** From the supervisor. */
export type Report = 'ready' | 'forked' | 'stdout' | 'stderr' | 'stdin-ack' | 'exited' | 'done';

const ORDERS: Readonly<Record<Order, string>> = {
  prepare: 'P',
  go: 'G',
  stdin: 'I',
  'stdin-end': 'E',
  ack: 'A',
  kill: 'K',
  signal: 'T',
  swept: 'S',
};

const REPORTS: Readonly<Record<string, Report>> = {
  R: 'ready',
  F: 'forked',
  O: 'stdout',
  X: 'stderr',
  W: 'stdin-ack',
  L: 'exited',
  D: 'done',
};

export interface ReportFrame {
  readonly kind: Report;
  readonly command: number;
  readonly payload: Buffer;
}

export function orderFrame(
  kind: Order,
  command: number,
  payload: Uint8Array = new Uint8Array(),
): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt32BE(payload.length, 0);
  frame.write(ORDERS[kind], 4, 'latin1');
  frame.writeUInt32BE(command, 5);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Cuts a stream of bytes into frames. @throws Error when it is not a stream of frames. */
export class ReportReader {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer): ReportFrame[] {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const frames: ReportFrame[] = [];
    while (rest.length >= HEADER_BYTES) {
      const length = rest.readUInt32BE(0);
      const kind = REPORTS[String.fromCharCode(rest.readUInt8(4))];
      if (length > MAX_PAYLOAD_BYTES || kind === undefined)
        throw new Error('not a frame of the supervisor');
      if (rest.length < HEADER_BYTES + length) break;
      frames.push({
        kind,
        command: rest.readUInt32BE(5),
        payload: rest.subarray(HEADER_BYTES, HEADER_BYTES + length),
      });
      rest = rest.subarray(HEADER_BYTES + length);
    }
    this.#rest = rest;
    return frames;
  }
}
