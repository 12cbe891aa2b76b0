/** A site of a federation; runs in Node and in the browser. What needs Node: `@skein/federation/site/node`. */
export { askedAgain } from '../audit/asked-again.ts';
export { canaryRows, linesOf, openLiveAudit } from '../audit/live-audit.ts';
export { aggregationIn } from '../plan/kinds/choices.ts';
export { describeHelp, describePlan, type PlanWords } from './describe-plan.ts';
export { lookAtPlan } from './look.ts';
export type { SiteMemory } from './memory/site-memory.ts';
export {
  openPersonalModel,
  type PersonalModel,
  type PersonalRound,
  personalSteps,
  type PersonalTerms,
} from './personal/personal-model.ts';
export { runSite, type SiteEnd, type SiteEvent } from './run-site.ts';
export { labelledArrays, readSiteArrays } from './site-arrays.ts';
export {
  isOfArrays,
  outsideText,
  readSiteRows,
  readSiteTable,
  rowTermsOf,
  type SiteRows,
} from './site-rows.ts';
export { requireTerms, type Terms, unmetTerms } from './terms.ts';
export { modelFacts, trainingOf } from './work/training.ts';
export { committeeWork } from './work/committee-work.ts';
export { openWork } from './work/open-work.ts';
