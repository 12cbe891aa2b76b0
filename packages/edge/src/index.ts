export { httpSource, type Source } from './trust/source.ts';
export { refresh, type Refreshed, type RefreshOptions, type TrustState } from './trust/refresh.ts';
export type { TargetFile } from './trust/metadata.ts';
export {
  readManifest,
  variantFor,
  type Backend,
  type Manifest,
  type Variant,
} from './bundle/manifest.ts';
export { joinChunks, readChunk } from './bundle/files.ts';
export { goldenFault, measureGolden, parseGolden } from './bundle/golden.ts';
export {
  openUpdater,
  type UpdateOutcome,
  type Updater,
  type UpdaterOptions,
} from './update/updater.ts';
export { opfsStorage } from './update/opfs-storage.ts';
export type { Storage } from './update/storage.ts';
