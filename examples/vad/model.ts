/**
 * Silero VAD as a stream: each window of 32 ms goes in with the end of the one before it and with
 * the state that the network returned, and a probability of speech comes out.
 *
 * The state belongs to the stream, not to the server: it travels with every call, so any replica can
 * take the next window and a restart of the node loses nothing.
 */
import type { Client, OutputOf } from '@skein/api';

export const MODEL = 'vad';

/** Samples per second that the network is used with. */
export const SAMPLE_RATE = 16_000;
/** Samples of one window: 32 ms. */
export const WINDOW = 512;
export const WINDOW_MS = (1000 * WINDOW) / SAMPLE_RATE;
/** Samples of the window before that the network sees again; without them it detects much less. */
const CONTEXT = 64;
const STATE_SHAPE = [2, 1, 128] as const;

/** One step of the network: `input` [1, 576], `state` [2, 1, 128] → probability, next state. */
export type Step = (
  input: Float32Array<ArrayBuffer>,
  state: Float32Array,
) => Promise<{ probability: number; state: Float32Array }>;

export interface StepOptions {
  /**
   * Milliseconds that one window may take. Absent: the deployment's objective, which is for live
   * streams.
   */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The step as a call of the deployment. @throws SkeinError as the node does. */
export function stepOn(client: Client, options: StepOptions = {}): Step {
  const sr = { shape: [], data: BigInt64Array.of(BigInt(SAMPLE_RATE)) };
  return async (input, state) => {
    const { outputs } = await client.infer<{
      output: OutputOf<'float32'>;
      stateN: OutputOf<'float32'>;
    }>(
      MODEL,
      {
        input: { shape: [1, CONTEXT + WINDOW], data: input },
        state: { shape: STATE_SHAPE, data: state },
        sr,
      },
      options,
    );
    return { probability: outputs.output.data[0] ?? 0, state: outputs.stateN.data };
  };
}

/**
 * The probability of speech in each window of 32 ms.
 *
 * @param samples at `SAMPLE_RATE`; the last window is filled up with silence.
 */
export async function* speechProbabilities(
  samples: Float32Array,
  step: Step,
): AsyncGenerator<number, void, undefined> {
  let state = new Float32Array(STATE_SHAPE[0] * STATE_SHAPE[1] * STATE_SHAPE[2]);
  for (let start = 0; start < samples.length; start += WINDOW) {
    const input = new Float32Array(CONTEXT + WINDOW);
    const from = Math.max(0, start - CONTEXT);
    // Before the first window there is silence.
    input.set(samples.subarray(from, start + WINDOW), from - (start - CONTEXT));
    const next = await step(input, state);
    state = next.state as Float32Array<ArrayBuffer>;
    yield next.probability;
  }
}
