/**
 * The learning rate as a function of the number of the step, counted from 0. The rate is an input
 * of the step's graph, so any function works; these are the common ones.
 */
export type Schedule = (step: number) => number;

/** The same rate at every step. */
export function constant(rate: number): Schedule {
  requireRate(rate);
  return () => rate;
}

export interface StepDecayOptions {
  /** Rate of the first steps. */
  readonly rate: number;
  /** Steps between two drops. */
  readonly every: number;
  /** Factor of the rate at a drop. */
  readonly factor: number;
}

/** Multiplies the rate by a factor every `every` steps. */
export function stepDecay({ rate, every, factor }: StepDecayOptions): Schedule {
  requireRate(rate);
  requireSteps('every', every);
  if (!(factor > 0)) throw new RangeError(`factor must be above 0, but is ${factor}.`);
  return (step) => rate * factor ** Math.floor(step / every);
}

export interface CosineOptions {
  /** Rate of the first step. */
  readonly rate: number;
  /** Steps from the first rate to the last. */
  readonly steps: number;
  /** Rate of all steps from `steps` on; default 0. */
  readonly last?: number;
}

/** Half a cosine from one rate to another: Loshchilov and Hutter, "SGDR" (ICLR 2017), eq. 5, without restarts. */
export function cosine({ rate, steps, last = 0 }: CosineOptions): Schedule {
  requireRate(rate);
  requireRate(last);
  requireSteps('steps', steps);
  return (step) => {
    const done = Math.min(step / steps, 1);
    return last + ((rate - last) * (1 + Math.cos(Math.PI * done))) / 2;
  };
}

/**
 * Rises evenly over the first steps, then follows another schedule, which starts counting there. The
 * first step already has a rate above 0: it would be wasted otherwise.
 */
export function warmUp(steps: number, then: Schedule): Schedule {
  requireSteps('steps', steps);
  return (step) => (step < steps ? (then(0) * (step + 1)) / steps : then(step - steps));
}

function requireRate(rate: number): void {
  if (!(rate >= 0 && rate < Infinity)) {
    throw new RangeError(`A learning rate must be a number from 0 on, but is ${rate}.`);
  }
}

function requireSteps(option: string, steps: number): void {
  if (!(Number.isInteger(steps) && steps > 0)) {
    throw new RangeError(`${option} must be a whole number above 0, but is ${steps}.`);
  }
}
