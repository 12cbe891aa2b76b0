/**
 * A process' last standard error before it ended, for the reason of its end: without the
 * addresses and the collections of garbage that Node and V8 write when they end.
 */

/** Characters that are kept: such a report has some thousands. */
const KEPT = 16_384;
/** Characters that a reason contains. */
const SHOWN = 2000;
const REPORT =
  /^(?:\s*\d+: 0x[0-9a-f]+|----- \w+ stack trace -----$|<--- .* --->$|\[\d+:0x[0-9a-f]+\])/;

export class LastOutput {
  #text = '';

  add(text: string): void {
    this.#text = (this.#text + text).slice(-KEPT);
  }

  /** Empty when the process wrote nothing else. */
  get reason(): string {
    const lines = this.#text.split('\n').filter((line) => !REPORT.test(line));
    return lines
      .join('\n')
      .replaceAll(/\n{3,}/g, '\n\n')
      .trim()
      .slice(-SHOWN);
  }
}
