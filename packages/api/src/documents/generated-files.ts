/** The files of this repository that are written from the tables, by their path from its root. */
import { renderApiReference, renderErrorsReference } from './reference.ts';
import { renderRoutes } from './routes.ts';

export const GENERATED_FILES: Readonly<Record<string, () => string>> = {
  'docs/reference/errors.md': renderErrorsReference,
  'docs/reference/api.md': renderApiReference,
  'packages/api/src/client/routes.gen.ts': renderRoutes,
};
