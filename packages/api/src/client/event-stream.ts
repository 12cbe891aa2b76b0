/**
 * Reads server-sent events from a byte stream, as the HTML standard defines the format (§9.2.6).
 * Written out because `EventSource` exists only in browsers and cannot send a key.
 */
export interface ServerSentEvent {
  readonly type: string;
  /** The last id seen so far, as a reconnecting reader sends it. */
  readonly id: string | undefined;
  readonly data: string;
}

export interface EventStreamReader {
  /** Events that the chunk completes. */
  push(chunk: string): ServerSentEvent[];
  /** Milliseconds that the server asks to wait before reconnecting. */
  readonly retryMs: number | undefined;
}

export function createEventStreamReader(): EventStreamReader {
  let pending = '';
  let afterReturn = false;
  let type = '';
  let data: string[] = [];
  let id: string | undefined;
  let retryMs: number | undefined;

  function line(text: string): ServerSentEvent | undefined {
    if (text === '') {
      const event =
        data.length === 0 ? undefined : { type: type || 'message', id, data: data.join('\n') };
      type = '';
      data = [];
      return event;
    }
    const colon = text.indexOf(':');
    const field = colon === -1 ? text : text.slice(0, colon);
    const value = colon === -1 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') type = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\0')) id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) retryMs = Number(value);
    return undefined;
  }

  return {
    push(chunk) {
      const events: ServerSentEvent[] = [];
      // A line ends with CR, LF or CRLF, and a chunk may end between the two.
      let text = afterReturn && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
      if (chunk !== '') afterReturn = chunk.endsWith('\r');
      text = pending + text;
      let start = 0;
      for (const end of text.matchAll(/\r\n|\r|\n/g)) {
        const event = line(text.slice(start, end.index));
        if (event !== undefined) events.push(event);
        start = end.index + end[0].length;
      }
      pending = text.slice(start);
      return events;
    },
    get retryMs() {
      return retryMs;
    },
  };
}
