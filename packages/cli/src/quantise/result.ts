/** The outcome of quantising a model, as it is printed and as JSON. */
import { SkeinError } from '@skein/api/errors';
import {
  bytesIn,
  choose,
  type Budget,
  type Choice,
  type Form,
  type Layer,
  type Refusal,
  type Report,
  type VariantReport,
} from '@skein/onnx/quantise';

export interface Shown {
  readonly name: string;
  readonly summary: string;
  readonly bytes?: number | undefined;
  readonly error?: number | undefined;
  readonly changed?: number | undefined;
  readonly accuracy?: number | undefined;
  readonly drop?: number | undefined;
  readonly timings: Readonly<Record<string, { ms: number; floatMs: number; ratio: number }>>;
  readonly refused?: Refusal | undefined;
  readonly reason?: string | undefined;
  readonly notRun: Readonly<Record<string, string>>;
}

export interface Quantised {
  readonly model: string;
  readonly target: string;
  readonly machine: string;
  readonly rows: { readonly calibration: number; readonly held: number; readonly random: boolean };
  readonly float: Report['float'];
  readonly variants: readonly Shown[];
  readonly weightBits: 7 | 8;
  /** Why operators were left as they are. */
  readonly asGiven?: string | undefined;
  /** In the chosen variant. */
  readonly layers: readonly ShownLayer[];
  /** Source of the layers' errors. `runs`: the model has no gradients. */
  readonly estimatedBy: Report['sensitivity']['method'];
  readonly chosen: string;
  readonly isSlower: boolean;
  readonly out?: string | undefined;
  readonly picture?: string | undefined;
}

export interface ShownLayer {
  readonly name: string;
  readonly operator: string;
  readonly form: Form;
  readonly floatBytes: number;
  readonly bytes: number;
  /** Relative error of the outputs that the layer causes: in its form, and with weights of 8 and 4 bits. */
  readonly error: number;
  readonly error8: number;
  readonly error4: number;
}

export function choiceAmong(
  variants: readonly VariantReport[],
  target: string,
  budget: Budget,
): Choice {
  const measured = variants.flatMap(({ name, built }) =>
    built === undefined
      ? []
      : [
          {
            name,
            bytes: built.bytes,
            error: built.quality.error,
            drop: built.drop,
            ratio: built.timings[target]?.ratio,
          },
        ],
  );
  return choose(measured, budget);
}

export function shownVariant(
  { name, summary, built, reason, notRun }: VariantReport,
  choice: Choice,
): Shown {
  return {
    name,
    summary,
    bytes: built?.bytes,
    ...built?.quality,
    drop: built?.drop,
    timings: built?.timings ?? {},
    refused: choice.refused.get(name),
    reason,
    notRun,
  };
}

export function shownLayers(
  layers: readonly Layer[],
  { costs }: Report['sensitivity'],
  { plan, errors }: NonNullable<VariantReport['built']>,
): readonly ShownLayer[] {
  return layers.map((layer) => {
    const { name, operator } = layer;
    const form = plan.get(name) ?? 'float';
    const errorIn = (each: Form): number => Math.sqrt(costs.get(name)?.get(each) ?? 0);
    return {
      name,
      operator,
      form,
      floatBytes: bytesIn(layer, 'float'),
      bytes: bytesIn(layer, form),
      error: errors.get(name) ?? 0,
      error8: errorIn('stored8'),
      error4: errorIn('stored4'),
    };
  });
}

export const REFUSALS: Readonly<Record<Refusal, (target: string) => string>> = {
  size: () => 'larger than --max-size',
  error: () => 'its error is above --max-error',
  drop: () => 'the golden rows fall by more than --max-drop',
  slower: (target) => `slower than the float model on ${target}`,
  target: (target) => `does not run on ${target}`,
};

export function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(100 * share).toFixed(2)} %`;
}

export function refusedAll(
  file: string,
  variants: readonly Shown[],
  target: string,
  budget: Budget,
): SkeinError {
  const reasons = variants.map((each) => refusalText(each, target, budget));
  return new SkeinError(
    'QUANTISE_REFUSED',
    `No variant of "${file}" is kept: ${reasons.join('; ')}.`,
  );
}

/** The reason against a variant, with its name. */
export function refusalText(
  { name, reason, refused, error, drop }: Shown,
  target: string,
  { maxError, maxDrop }: Budget,
): string {
  if (reason !== undefined) return `${name} was not built, ${reason}`;
  if (refused === 'error') {
    return `${name} has an error of ${percent(error)}, above ${percent(maxError)}`;
  }
  if (refused === 'drop') {
    return `${name} falls by ${drop!.toFixed(2)} points on the golden rows, more than ${maxDrop}`;
  }
  return `${name} is ${REFUSALS[refused!](target)}`;
}
