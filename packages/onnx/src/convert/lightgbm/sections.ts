/** The text of a LightGBM file as sections of `key=value` lines: a head, and one for each tree. */
import { invalidModel } from '../../onnx-error.ts';

const NEWLINE = 0x0a;
const UTF8 = new TextDecoder();

/** Lines of one section by key; their values are decoded when they are read. */
export class Section {
  readonly title: string;
  readonly #lines: ReadonlyMap<string, Uint8Array>;

  constructor(title: string, lines: ReadonlyMap<string, Uint8Array>) {
    this.title = title;
    this.#lines = lines;
  }

  has(key: string): boolean {
    return this.#lines.has(key);
  }

  text(key: string): string {
    const line = this.#lines.get(key);
    if (line === undefined) throw invalidModel(`${this.title} has no ${key}.`);
    return UTF8.decode(line);
  }

  count(key: string, most: number): number {
    const text = this.text(key);
    const number = Number(text);
    if (/^\d+$/.test(text) && number <= most) return number;
    throw invalidModel(
      `${this.title} has ${key}=${text.slice(0, 100)}; it must be a whole number up to ${most}.`,
    );
  }

  /** @param length that the list must have; any if it is left out. */
  numbers(key: string, length?: number): Float64Array {
    const words = this.text(key).split(' ').filter(Boolean);
    if (length !== undefined && words.length !== length) {
      throw invalidModel(
        `${this.title} has ${words.length} numbers in ${key}; it must have ${length}.`,
      );
    }
    return Float64Array.from(words, (word) => {
      const number = Number(word);
      if (Number.isFinite(number)) return number;
      throw invalidModel(`${this.title} has ${JSON.stringify(word.slice(0, 100))} in ${key}.`);
    });
  }
}

export interface Sections {
  readonly head: Section;
  readonly trees: readonly Section[];
  /** Lines behind the trees. */
  readonly tail: Section;
}

const END = 'end of trees';

/** @throws OnnxError `invalid` for a text that ends before its trees do. */
export function sectionsOf(bytes: Uint8Array): Sections {
  const trees: Section[] = [];
  let head: Section | undefined;
  let isTail = false;
  let title = 'The head of the file';
  let lines = new Map<string, Uint8Array>();
  const finish = (): void => {
    if (head === undefined) head = new Section(title, lines);
    else trees.push(new Section(title, lines));
    lines = new Map();
  };
  for (let from = 0; from < bytes.length;) {
    const found = bytes.indexOf(NEWLINE, from);
    const end = found === -1 ? bytes.length : found;
    const line = bytes.subarray(from, bytes[end - 1] === 0x0d ? end - 1 : end);
    from = end + 1;
    const { key, value } = parts(line);
    if (!isTail && key === 'Tree') {
      finish();
      title = `Tree ${UTF8.decode(value.subarray(0, 20))}`;
    } else if (!isTail && key === END) {
      finish();
      isTail = true;
    } else if (key !== '') lines.set(key, value);
  }
  if (head === undefined || !isTail) {
    throw invalidModel(
      `The file is truncated after ${bytes.length} bytes: "${END}" does not follow its trees.`,
    );
  }
  return { head, trees, tail: new Section('The end of the file', lines) };
}

/** The key up to the first `=` or, behind the trees, `:`. Keys are short: a longer one is none. */
function parts(line: Uint8Array): { key: string; value: Uint8Array } {
  const start = UTF8.decode(line.subarray(0, 64));
  const [key = ''] = /^[\w .]*/.exec(start) ?? [];
  const at = key.length;
  return { key: key.trim(), value: line.subarray(at + 1) };
}
