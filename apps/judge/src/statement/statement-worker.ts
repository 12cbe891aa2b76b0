/** The thread that renders statements. */
import { serve } from '@skein/calls/serve';
import { showMarkdown } from './markdown.ts';

interface Job {
  readonly file: string;
  readonly text: string;
  readonly constants: ReadonlyMap<string, string>;
  /** Addresses of the images of the package, by the names that the text has for them. */
  readonly images: ReadonlyMap<string, string>;
}

const calls = {
  show: ({ file, text, constants, images }: Job) =>
    showMarkdown(file, text, constants, (name) => images.get(name)),
};
export type StatementCalls = typeof calls;
serve(calls);
