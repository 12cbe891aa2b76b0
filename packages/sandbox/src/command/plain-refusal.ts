/**
 * Writes in plain words that a program could not be started. The launchers (`bwrap`, `env`) write
 * their own message to the stderr of a command that never ran; the caller uses neither of them.
 *
 * Text is held back only while it may still be such a message about this very program.
 */
import { Transform, type Readable, type TransformCallback } from 'node:stream';

/**
 * The sentence for a program that the system refused to execute. The supervisor of the Docker driver
 * writes the same (`guest.py`).
 * @param reason as the C library has it, such as `No such file or directory`.
 */
export function refusalOf(program: string, reason: string): string {
  const isMissing = reason === 'No such file or directory';
  if (!isMissing) return `skein: the program "${program}" cannot be executed: ${reason}`;
  const what = program.includes('/') ? ', or the interpreter that it names,' : '';
  return `skein: the program "${program}"${what} is missing in the sandbox: install it on the worker or in the image, send its file along as an input, or take a Python environment along (skein run --venv FOLDER)`;
}

/** How the launchers begin their messages: bubblewrap, and `env` of coreutils and of BusyBox. */
const beginnings = (program: string): string[] => [
  `bwrap: execvp ${program}: `,
  `env: '${program}': `,
  `env: ‘${program}’: `,
  `env: can't execute '${program}': `,
];

class PlainRefusal extends Transform {
  readonly #program: string;
  readonly #beginnings: readonly Buffer[];
  #held = Buffer.alloc(0);
  #isOther = false;

  constructor(program: string) {
    super();
    this.#program = program;
    this.#beginnings = beginnings(program).map((text) => Buffer.from(text));
  }

  override _transform(chunk: Buffer, _encoding: string, done: TransformCallback): void {
    if (this.#isOther) return done(null, chunk);
    this.#held = Buffer.concat([this.#held, chunk]);
    this.#isOther = !this.#beginnings.some((beginning) => {
      const length = Math.min(beginning.length, this.#held.length);
      return this.#held.subarray(0, length).equals(beginning.subarray(0, length));
    });
    // A launcher writes one short line; more than that is the program's own.
    this.#isOther ||= this.#held.length > 2 * this.#beginnings[0]!.length + 256;
    return done(null, this.#isOther ? this.#held : undefined);
  }

  override _flush(done: TransformCallback): void {
    const text = this.#held.toString();
    const beginning = beginnings(this.#program).find((each) => text.startsWith(each));
    if (this.#isOther) return done();
    if (beginning === undefined) return done(null, this.#held);
    const [reason = ''] = text.slice(beginning.length).split('\n', 1);
    return done(null, Buffer.from(`${refusalOf(this.#program, reason)}\n`));
  }
}

/** @param stderr of a command; may be destroyed before its end. */
export function inPlainWords(stderr: Readable, program: string): Readable {
  const plain = new PlainRefusal(program);
  stderr.once('close', () => plain.end());
  return stderr.pipe(plain);
}
