/** Messages between the page and its worker. The rows never leave the worker. */
import type { SiteEnd, SiteEvent } from '../site/run-site.ts';
import type { PlanWords } from '../site/describe-plan.ts';

export type ToWorker =
  /** Reads the plan of an invitation, and ends the connection. */
  | { readonly type: 'look'; readonly invitation: string }
  /** Reads the file and checks it against the plan. */
  | { readonly type: 'rows'; readonly file: File }
  /** Accepts the plan, and trains. @param pull λ of a model of the site's own; absent: it trains none. */
  | { readonly type: 'join'; readonly pull?: number | undefined }
  | { readonly type: 'stop' };

export type FromWorker =
  | {
      readonly type: 'plan';
      readonly words: PlanWords;
      readonly rounds: number;
      /** Whether the page may be closed when its message of a round is stored. */
      readonly mayLeave: boolean;
      /** Whether this browser has accepted the plan before. */
      readonly accepted: boolean;
    }
  | {
      readonly type: 'rows';
      readonly count: number;
      readonly classes: readonly { readonly name: string; readonly rows: number }[];
      readonly unused: readonly string[];
      /** Sentences about values that the plan does not have. */
      readonly outside: readonly string[];
      /** Largest λ of a model of the site's own: a larger one leaps beyond the global model. Absent: the plan trains none. */
      readonly mostPull?: number;
    }
  /** The model of the site's own after a round, from 0, as ONNX. */
  | { readonly type: 'own'; readonly round: number; readonly file: Blob }
  /** Why a round of it was left out. */
  | { readonly type: 'own-problem'; readonly message: string }
  /** No more of it comes. */
  | { readonly type: 'own-done' }
  | { readonly type: 'event'; readonly event: SiteEvent }
  | { readonly type: 'end'; readonly end: SiteEnd }
  | {
      readonly type: 'error';
      readonly code: string;
      readonly message: string;
      readonly fix: string;
    };
