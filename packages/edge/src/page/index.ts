export { createEdge, type PageEdge, type PageEdgeOptions } from './create-edge.ts';
export { keepOffline } from './keep-offline.ts';
export type { PageBackend } from './messages.ts';
export type { Edge, EdgeAnswer, EdgeInferOptions, EdgeServer, RunsOn } from '../hybrid/answers.ts';
