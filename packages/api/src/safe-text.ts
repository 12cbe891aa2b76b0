/**
 * Untrusted text on its way to a terminal: names, messages and output of jobs may contain escape
 * sequences that set the clipboard or the title, hide the text after them, or overwrite earlier
 * text. And on its way into markup.
 *
 * Control sequences are escaped as JSON escapes them (`\u001b`), so that a JSON document keeps its
 * value. These are: control characters of both sets, among them ESC and the one-byte CSI and OSC,
 * and the marks that change the direction of text ("Trojan Source", CVE-2021-42574).
 */

const OBEYED =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/g;
const BREAKS = /[\t\n]/g;

/**
 * Keeps line feeds and tabs. A carriage return, which would overwrite its line, becomes a line end.
 */
export function safeText(text: string): string {
  return text.replaceAll(/\r\n?/g, '\n').replace(OBEYED, written);
}

/** Keeps to one line: for a name, a cell of a table or a log message. */
export function safeLine(text: string): string {
  return text.replace(OBEYED, written).replace(BREAKS, written);
}

function written(character: string): string {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

// eslint-disable-next-line no-control-regex
const NOT_IN_XML = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;

/** For text and attributes of SVG and HTML. A character that XML cannot hold, by which no viewer shows an SVG, becomes U+FFFD. */
export function escapeMarkup(text: string): string {
  return text
    .toWellFormed()
    .replace(NOT_IN_XML, '\uFFFD')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
