export {
  createEdge,
  type Edge,
  type EdgeAnswer,
  type EdgeInferOptions,
  type EdgeOptions,
} from './create-edge.ts';
export { diskStorage } from './disk-storage.ts';
export { folderPlace } from './folder-place.ts';
