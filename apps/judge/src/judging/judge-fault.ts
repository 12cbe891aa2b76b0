/**
 * The problem, not the submission, misbehaved: a validator crashed, broke a rule of the format or
 * ran into its limits. The verdict is JE; the message is for the judges.
 */
export class JudgeFault extends Error {
  override readonly name = 'JudgeFault';
}
