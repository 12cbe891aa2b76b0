/** Commands of the pages that a run on this machine does not reproduce, with the reason. */
export interface Exception {
  readonly page: RegExp;
  readonly command: RegExp;
  readonly reason: string;
}

const SERVING = /guide\/serving/;
const LOCAL = /guide\/local-language/;
const LANGUAGE = /guide\/language-models/;
const OPERATING = /guide\/operating/;

export const NOT_REPRODUCED: readonly Exception[] = [
  { page: /guide\/google-cloud/, command: /./, reason: 'needs an account of Google Cloud' },
  { page: /guide\/kubernetes/, command: /./, reason: 'needs a cluster' },
  {
    page: /guide\/containers/,
    command: /^(?!echo)/,
    reason: 'needs Docker or podman, and the image',
  },
  {
    page: LANGUAGE,
    command: /^GEMINI_API_KEY|provider put (google|vertex)|google=|^curl [^-]/,
    reason: 'needs the Internet and an account; language-guide.test.ts runs it with a stand-in',
  },
  { page: /^README/, command: /^npm test$/, reason: 'runs these tests' },
  { page: SERVING, command: / deploy hf:/, reason: 'needs the Internet' },
  {
    page: SERVING,
    command: /tuned\.safetensors|flower|buyers/,
    reason: 'needs files of PyTorch and scikit-learn; readme.test.ts runs it with such files',
  },
  { page: SERVING, command: / up --isolate-models/, reason: 'a second node on the data folder' },
  { page: SERVING, command: / bench risk/, reason: 'takes a minute' },
  {
    page: OPERATING,
    command: /deploy\/container\/build\.sh/,
    reason: 'builds an image for minutes, as root',
  },
  { page: LOCAL, command: /^NODE_LLAMA/, reason: 'downloads packages' },
  { page: OPERATING, command: /^docker /, reason: 'needs Docker and the image' },
  {
    page: OPERATING,
    command: /dist\/tarballs/,
    reason: 'needs the packed packages; npm run front-door runs it',
  },
  {
    page: OPERATING,
    command: /--example ocr +#|^npm (install --global|create) /,
    reason: 'needs the published packages; npm run front-door publishes them on loopback',
  },
];

export function reasonAgainst(page: string, command: string): string | undefined {
  return NOT_REPRODUCED.find((each) => each.page.test(page) && each.command.test(command))?.reason;
}
