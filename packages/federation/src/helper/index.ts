/** A helper of federations with a committee; Node only. It connects as a site does: `runSite`. */
export { lockHelper, openHelperMemory, type HelperMemory } from './helper-memory.ts';
export { helperInPlan, helperWork, keysOfHelper } from './helper-work.ts';
