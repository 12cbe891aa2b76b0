/**
 * Parses HTTP/1.1 responses out of a stream of bytes: the status, and the body only when it
 * explains an error. It does as little work as the framing allows, because the generator takes cpu
 * time from a server on the same machine (RFC 9112 §6: content-length, chunked, or until close).
 */
const HEAD_END = Buffer.from('\r\n\r\n');
const EMPTY = Buffer.alloc(0);
/** An error body beyond this is cut; its code stands at the front. */
const KEPT_BODY_BYTES = 4096;

export interface ResponseEnd {
  readonly status: number;
  /** The first bytes of the body when the status is not 2xx; else empty. */
  readonly body: Buffer;
  /** Whether the server will close the connection. */
  readonly closes: boolean;
}

export class ResponseReader {
  #head: Buffer = EMPTY;
  #status = 0;
  #closes = false;
  /** Bytes of the body or chunk still to come; -1 while reading the head or a chunk's size line. */
  #remaining = -1;
  #chunked = false;
  #untilClose = false;
  #lastChunk = false;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  readonly #onEnd: (end: ResponseEnd) => void;

  constructor(onEnd: (end: ResponseEnd) => void) {
    this.#onEnd = onEnd;
  }

  /** @throws Error when the bytes are not HTTP/1.1. */
  push(chunk: Buffer): void {
    let data = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
    this.#head = EMPTY;
    while (data.length > 0) {
      if (this.#untilClose) {
        this.#keep(data);
        return;
      }
      if (this.#remaining > 0) {
        const taken = Math.min(this.#remaining, data.length);
        this.#keep(data.subarray(0, taken));
        this.#remaining -= taken;
        data = data.subarray(taken);
        if (this.#remaining === 0 && !this.#chunked) this.#finish();
        continue;
      }
      const consumed = this.#chunked ? this.#readChunkLine(data) : this.#readHead(data);
      if (consumed === 0) {
        this.#head = data;
        return;
      }
      data = data.subarray(consumed);
    }
  }

  /** The connection ended. @returns whether that completed a response. */
  ended(): boolean {
    if (!this.#untilClose) return false;
    this.#finish();
    return true;
  }

  #readHead(data: Buffer): number {
    const end = data.indexOf(HEAD_END);
    if (end < 0) {
      if (data.length > 65_536) throw new Error('The response has no end of its headers.');
      return 0;
    }
    const head = data.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.')) throw new Error('The answer is not HTTP/1.1.');
    this.#status = Number(head.slice(9, 12));
    this.#closes = closesAfter(head);
    if (this.#status < 200) return end + 4;
    if (this.#status === 204 || this.#status === 304) {
      this.#finish();
      return end + 4;
    }
    this.#chunked = /\r\ntransfer-encoding:[^\r]*\bchunked[ \t]*(?=\r|$)/i.test(head);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head);
    if (this.#chunked) {
      this.#remaining = 0;
    } else if (length !== null) {
      this.#remaining = Number(length[1]);
      if (this.#remaining === 0) this.#finish();
    } else {
      this.#untilClose = true;
      this.#closes = true;
    }
    return end + 4;
  }

  /** Reads `\r\n` after a chunk, the size line of the next, and the empty trailer after the last. */
  #readChunkLine(data: Buffer): number {
    const lineEnd = data.indexOf('\r\n');
    if (lineEnd < 0) return 0;
    if (this.#lastChunk) {
      if (lineEnd === 0) this.#finish();
      return lineEnd + 2;
    }
    if (lineEnd === 0) return 2;
    const size = Number.parseInt(data.toString('latin1', 0, lineEnd), 16);
    if (!Number.isFinite(size)) throw new Error('A chunk of the response has no size.');
    if (size === 0) this.#lastChunk = true;
    else this.#remaining = size;
    return lineEnd + 2;
  }

  #keep(part: Buffer): void {
    if (this.#status < 300 || this.#keptBytes >= KEPT_BODY_BYTES) return;
    // Copied, because the socket's buffer is reused.
    const kept = Buffer.from(part.subarray(0, KEPT_BODY_BYTES - this.#keptBytes));
    this.#kept.push(kept);
    this.#keptBytes += kept.length;
  }

  #finish(): void {
    const end: ResponseEnd = {
      status: this.#status,
      body: this.#kept.length === 0 ? EMPTY : Buffer.concat(this.#kept),
      closes: this.#closes,
    };
    this.#status = 0;
    this.#remaining = -1;
    this.#chunked = false;
    this.#untilClose = false;
    this.#lastChunk = false;
    this.#kept = [];
    this.#keptBytes = 0;
    this.#onEnd(end);
  }
}

/** A server of HTTP/1.0 closes a connection unless its header keeps it alive (RFC 9112, section 9.3). */
function closesAfter(head: string): boolean {
  const options = /\r\nconnection:([^\r]*)/i.exec(head)?.[1]?.toLowerCase() ?? '';
  const named = options.split(',').map((option) => option.trim());
  return named.includes('close') || (head.startsWith('HTTP/1.0') && !named.includes('keep-alive'));
}
