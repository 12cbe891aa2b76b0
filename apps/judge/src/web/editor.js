/**
 * A place to type a program: a text area with line numbers. Tab indents, Shift+Tab takes it back, and
 * Enter keeps the indentation; after Escape, Tab leaves as it does everywhere else, so that nobody is
 * caught by the keyboard. Every change goes through the browser's own undo.
 */
import { h } from './dom.js';

const INDENT = '    ';

/** @param changed called with the text at every change. */
export function createEditor(changed) {
  const numbers = h('pre', { class: 'numbers', 'aria-hidden': 'true' }, '1');
  const hint = h(
    'p',
    { id: 'editor-hint', class: 'hint' },
    'Tab indents; Escape, then Tab, leaves. Ctrl+Enter submits.',
  );
  const area = h('textarea', {
    id: 'source',
    rows: 18,
    spellcheck: 'false',
    autocapitalize: 'off',
    autocomplete: 'off',
    autocorrect: 'off',
    wrap: 'off',
    'aria-label': 'Program',
    placeholder: 'Write a program, or open a file.',
    'aria-describedby': 'editor-hint',
  });
  let leaving = false;

  function number() {
    const lines = area.value.split('\n').length;
    if (numbers.childElementCount === 0 && Number(numbers.dataset.lines) === lines) return;
    numbers.dataset.lines = lines;
    numbers.textContent = Array.from({ length: lines }, (_, index) => index + 1).join('\n');
  }

  function indent(back) {
    const { selectionStart: start, selectionEnd: end, value } = area;
    if (start === end && !back) return insert(INDENT);
    const from = value.lastIndexOf('\n', start - 1) + 1;
    const lines = value.slice(from, end).split('\n');
    const shifted = lines.map((line) =>
      back ? line.replace(/^(?: {1,4}|\t)/, '') : INDENT + line,
    );
    area.setSelectionRange(from, end);
    const text = shifted.join('\n');
    insert(text);
    area.setSelectionRange(start === end ? from + text.length : from, from + text.length);
  }

  function breakLine() {
    const { selectionStart: start, value } = area;
    const line = value.slice(value.lastIndexOf('\n', start - 1) + 1, start);
    const [leading] = /^[ \t]*/.exec(line);
    insert(`\n${leading}${/[{(:[]$/.test(line.trimEnd()) ? INDENT : ''}`);
  }

  area.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      leaving = true;
      return;
    }
    if (event.key === 'Tab' && !leaving && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      indent(event.shiftKey);
    } else if (event.key === 'Enter' && !event.ctrlKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      breakLine();
    }
    if (event.key !== 'Shift') leaving = false;
  });
  area.addEventListener('input', () => {
    number();
    changed(area.value);
  });
  area.addEventListener('scroll', () => {
    numbers.scrollTop = area.scrollTop;
  });

  return {
    element: h('div', { class: 'editor' }, h('div', { class: 'code' }, numbers, area), hint),
    area,
    get value() {
      return area.value;
    },
    set value(text) {
      area.value = text;
      number();
    },
  };
}

/** Through the browser's editing, which alone can be undone; by hand where it has none. */
function insert(text) {
  if (
    text === '' ? document.execCommand('delete') : document.execCommand('insertText', false, text)
  ) {
    return;
  }
  const area = document.activeElement;
  area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
  area.dispatchEvent(new Event('input'));
}
