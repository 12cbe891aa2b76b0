/** What an attempt prints, as it prints it. */
import { h } from '../dom.js';
import { ask } from '../feed.js';
import { bytes } from '../format.js';
import { keepFresh } from '../live.js';

const PIECE = 256 * 1024;
/** A page stays quick with so much text; all of it is one command away. */
const KEPT = 512 * 1024;

/** @returns the element, and what pokes the reader when there may be more. */
export function followLog(id, attempt, signal, failed) {
  const text = h('pre', { class: 'log', tabindex: '0', role: 'region', 'aria-label': 'Log' });
  const note = h('small', { class: 'log-note' });
  let offset;
  let done = false;

  async function load() {
    while (!done && !signal.aborted) {
      const path = `/api/v1/jobs/${encodeURIComponent(id)}/log`;
      if (offset === undefined) {
        const { sizeBytes } = await ask(`${path}?attempt=${attempt}&maxBytes=4`);
        offset = Math.max(sizeBytes - KEPT, 0);
        if (offset > 0) leftOut(offset);
      }
      const wanted = `attempt=${attempt}&offset=${offset}&maxBytes=${PIECE}`;
      const piece = await ask(`${path}?${wanted}`);
      if (signal.aborted) return;
      if (piece.text !== '') append(piece.text);
      const grew = piece.next > offset;
      offset = piece.next;
      done = piece.ended && !grew;
      if (!grew) break;
    }
    if (done && text.textContent === '') note.textContent = 'It printed nothing.';
  }

  function append(piece) {
    const atEnd = text.scrollHeight - text.scrollTop - text.clientHeight < 30;
    text.append(piece);
    let length = text.textContent.length;
    while (length > 2 * KEPT && text.childNodes.length > 1) {
      length -= text.firstChild.length;
      text.firstChild.remove();
      leftOut(offset - length);
    }
    // Who has scrolled back is reading.
    if (atEnd) text.scrollTop = text.scrollHeight;
  }

  function leftOut(count) {
    note.textContent = `The first ${bytes(count)} are left out; skein jobs logs ${id} prints them.`;
  }

  const poke = keepFresh(load, { everyMs: 10_000, gapMs: 250, signal, failed });
  return { element: h('div', null, note, text), poke };
}
