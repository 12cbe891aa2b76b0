export { httpSource, type Source } from './trust/source.ts';
export { refresh, type Refreshed, type RefreshOptions, type TrustState } from './trust/refresh.ts';
export type { TargetFile } from './trust/metadata.ts';
