/** The script that a page imports where it has no bundler. */
export { createEdge, keepOffline } from '../page/index.ts';
