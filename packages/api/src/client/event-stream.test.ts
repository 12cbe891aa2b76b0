import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEventStreamReader, type ServerSentEvent } from './event-stream.ts';

function readAll(chunks: readonly string[]): ServerSentEvent[] {
  const reader = createEventStreamReader();
  return chunks.flatMap((chunk) => reader.push(chunk));
}

describe('the event stream reader', () => {
  it('reads the examples of the HTML standard', () => {
    expect(readAll(['data: YHOO\ndata: +2\ndata: 10\n\n'])).toEqual([
      { type: 'message', id: undefined, data: 'YHOO\n+2\n10' },
    ]);
    expect(
      readAll([
        ': test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n\n',
      ]),
    ).toEqual([
      { type: 'message', id: '1', data: 'first event' },
      { type: 'message', id: '', data: 'second event' },
      { type: 'message', id: '', data: ' third' },
    ]);
    expect(readAll(['data\n\ndata\ndata\n\ndata:'])).toEqual([
      { type: 'message', id: undefined, data: '' },
      { type: 'message', id: undefined, data: '\n' },
    ]);
  });

  it('keeps type, id and the wait that the server asks for', () => {
    const reader = createEventStreamReader();
    expect(reader.push('retry: 1500\nid: 7\nevent: history\ndata: {}\n\ndata: x\n\n')).toEqual([
      { type: 'history', id: '7', data: '{}' },
      { type: 'message', id: '7', data: 'x' },
    ]);
    expect(reader.retryMs).toBe(1500);
  });

  it('reads any chunking and any line ending', () => {
    const event = fc.record({
      type: fc.constantFrom('deployment', 'history'),
      data: fc.array(fc.stringMatching(/^[^\r\n]{0,12}$/), { minLength: 1, maxLength: 3 }),
    });
    const property = fc.property(
      fc.array(event, { maxLength: 5 }),
      fc.constantFrom('\n', '\r', '\r\n'),
      fc.array(fc.nat({ max: 200 }), { maxLength: 12 }),
      (events, end, cuts) => {
        const text = events
          .map(({ type, data }) =>
            [`event: ${type}`, ...data.map((line) => `data: ${line}`), '', ''].join(end),
          )
          .join('');
        const places = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b)];
        const chunks = places.map((place, index) => text.slice(place, places[index + 1]));
        expect(readAll(chunks)).toEqual(
          events.map(({ type, data }) => ({ type, id: undefined, data: data.join('\n') })),
        );
      },
    );
    fc.assert(property, { numRuns: 500 });
  });
});
