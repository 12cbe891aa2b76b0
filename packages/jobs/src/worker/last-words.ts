/** Returns the last line that a program wrote to stderr: usually the reason why it failed. */
export interface LastWords {
  readonly hear: (chunk: Uint8Array) => void;
  text(): string;
}

const KEPT_BYTES = 2048;
const MAX_CHARACTERS = 300;

export function createLastWords(): LastWords {
  let tail = Buffer.alloc(0);
  return {
    hear(chunk) {
      tail = Buffer.concat([tail, chunk.subarray(-KEPT_BYTES)]).subarray(-KEPT_BYTES);
    },
    text() {
      const lines = tail.toString().split('\n');
      const last = lines.findLast((line) => line.trim() !== '') ?? '';
      return last.trim().slice(0, MAX_CHARACTERS);
    },
  };
}
