/** A helper of federations with a committee; Node only. Its connection is that of a site: `runSite`. */
export { lockHelper, openHelperMemory, type HelperMemory } from './helper-memory.ts';
export { helperInPlan, helperWork, keysOfHelper, type HelperWorkOptions } from './helper-work.ts';
