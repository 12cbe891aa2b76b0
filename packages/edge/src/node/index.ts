export { diskStorage } from './disk-storage.ts';
export { folderPlace } from './folder-place.ts';
