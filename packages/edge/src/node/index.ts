export { createEdge, type EdgeOptions } from './create-edge.ts';
export type {
  Edge,
  EdgeAnswer,
  EdgeInferOptions,
  EdgeServer,
  ReportingEdge,
  ReportOptions,
  RunsOn,
} from '../hybrid/answers.ts';
export { diskStorage } from './disk-storage.ts';
export { folderPlace } from './folder-place.ts';
