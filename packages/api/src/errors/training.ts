/** Errors of training. */
import { CONFLICT, type ErrorRow, GRPC, INVALID, PRECONDITION, UNKNOWN } from './row.ts';

export const TRAINING_ERRORS = {
  RUN_UNKNOWN: {
    ...UNKNOWN,
    meaning: 'There is no training run with this id or name.',
    fix: '`skein runs ls` lists the runs.',
  },
  RUN_ACTIVE: {
    ...CONFLICT,
    meaning: 'Another process is training this run.',
    fix: 'Wait for it, or stop it with Ctrl-C; then resume.',
  },
  RUN_UNFINISHED: {
    ...CONFLICT,
    meaning: 'The run has no trained model on this machine, or none yet.',
    fix: 'Finish it with `skein train --resume RUN`, on the machine on which it ran.',
  },
  RUN_CHANGED: {
    ...CONFLICT,
    meaning: 'The inputs of the run have changed, so resuming would produce a different model.',
    fix: 'Restore the file that the message names, or start a new run.',
  },
  TRAINING_DATA_INVALID: {
    ...INVALID,
    meaning: 'The data cannot be read, or do not fit the model and the task.',
    fix: 'Correct the row or column that the message names; docs/guide/training.md shows each format.',
  },
  TRAINING_MODEL_UNFIT: {
    ...INVALID,
    meaning: 'The model cannot be trained with these options.',
    fix: 'The message names the node, input or parameter and the reason; export the model without it.',
  },
  TRAINING_DIVERGED: {
    ...PRECONDITION,
    meaning: 'The loss became NaN or infinite, so training stopped.',
    fix: 'Check the batch that the message names, lower --lr, or add --clip-norm 1.',
  },
  TRAINING_RANK_LOST: {
    http: 503,
    grpc: GRPC.UNAVAILABLE,
    kind: 'user',
    meaning:
      'A worker of a training in parallel never connected, disconnected or stopped answering.',
    fix: 'Check that worker; then resume from the last checkpoint: `skein train --resume RUN`, or where the ranks are jobs, `skein jobs revive JOB` with one of them.',
  },
  PRIVACY_UNATTAINABLE: {
    ...INVALID,
    meaning:
      'The spending of a private training cannot be computed, or no noise keeps to its budget.',
    fix: 'The message names the value; allow a larger --epsilon or --delta, or take fewer steps.',
  },
  CHECKPOINT_INVALID: {
    ...PRECONDITION,
    meaning: 'The checkpoint is damaged, or belongs to another model or run.',
    fix: 'Start the run anew; check the disk.',
  },
} as const satisfies Record<string, ErrorRow>;
