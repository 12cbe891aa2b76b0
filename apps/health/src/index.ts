/** The service: versions in a folder, issuers that may call, cards out. */
export { serveHealth, type RunningHealth, type ServeOptions } from './service/serve.ts';
export { verifyCard } from './service/verify-card.ts';
export { trainVersion } from './training/train-version.ts';
export { giveLabel, storeVersion } from './training/version-store.ts';
export { generatedHospitals, readHospitals } from './training/heart-rows.ts';
