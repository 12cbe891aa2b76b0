/** Commands of the pages that a run on this machine does not reproduce, with the reason. */
export interface Exception {
  readonly page: RegExp;
  readonly command: RegExp;
  readonly reason: string;
}

const SERVING = /guide\/serving/;

export const NOT_REPRODUCED: readonly Exception[] = [
  { page: /^README/, command: /^npm test$/, reason: 'runs these tests' },
  { page: SERVING, command: / deploy hf:/, reason: 'needs the Internet' },
  {
    page: SERVING,
    command: /tuned\.safetensors|flower|buyers/,
    reason: 'needs files of PyTorch and scikit-learn; readme.test.ts runs it with such files',
  },
  { page: SERVING, command: / up --isolate-models/, reason: 'a second node on the data folder' },
  { page: SERVING, command: / bench risk/, reason: 'takes a minute' },
];

export function reasonAgainst(page: string, command: string): string | undefined {
  return NOT_REPRODUCED.find((each) => each.page.test(page) && each.command.test(command))?.reason;
}
