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
