/** Writes the pages about the API in a thread of its own: the schemas of all requests and answers take 0.2 s. */
import { createOpenApiDocument } from '@skein/api';
import { serve } from '@skein/calls/serve';
import { renderDocsPage } from './docs-page.ts';

const calls = {
  openApi: (version: string) => JSON.stringify(createOpenApiDocument(version)),
  docs: ({ version, origin, styles }: { version: string; origin: string; styles: string }) =>
    renderDocsPage(version, origin, styles),
};
export type PagesCalls = typeof calls;
serve(calls);
