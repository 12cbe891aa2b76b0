/** A skein: geese in flight, one formation. */
import { Html } from './html.ts';

export const LOGO = new Html(
  '<svg class="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><g fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"><path d="M12 8q3 0 4 3 1-3 4-3"/><path d="M4 16q3 0 4 3 1-3 4-3"/><path d="M20 16q3 0 4 3 1-3 4-3"/></g></svg>',
);
