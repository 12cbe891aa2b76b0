/** The publisher's side: keys, roots and signed files. */
export { createKey, importKey, type EdgeKey } from './trust/keys.ts';
export { ROLES, type Role } from './trust/metadata.ts';
export { EXPIRES_DAYS, type RoleKeys } from './trust/sign.ts';
export {
  createRoot,
  hasRoot,
  lastRoot,
  publish,
  publishedTargets,
  rotateRoot,
  type Place,
} from './trust/publish.ts';
export { packBundle, type Packed, type PackOptions } from './bundle/pack.ts';
export { makeDelta } from './delta/make-delta.ts';
export { givenInputs, tensorsOf } from './bundle/golden.ts';
