/** The segments of a recording that contain speech. */
import type { Client } from '@skein/api';
import {
  SAMPLE_RATE,
  speechProbabilities,
  stepOn,
  WINDOW_MS,
  type Step,
  type StepOptions,
} from './model.ts';
import { resample } from './resample.ts';
import { DEFAULT_RULES, segmentsOf, type Segment, type SegmentRules } from './segments.ts';
import { readWav } from './wav.ts';

export interface SpeechOptions extends StepOptions {
  readonly rules?: SegmentRules | undefined;
}

/** A recording can wait for a busy node. */
const PATIENCE_MS = 10_000;

/**
 * Streams a WAV file through the deployment `vad`, window by window, and yields each segment as
 * soon as it is certain. The file is read at once, the node is called when iteration begins.
 *
 * @param wav the bytes of the file.
 * @throws WavError when it is not a readable WAV file; while iterating, SkeinError as the node does.
 */
export function speechSegments(
  client: Client,
  wav: Uint8Array,
  options: SpeechOptions = {},
): AsyncGenerator<Segment, void, undefined> {
  const { rules, timeoutMs = PATIENCE_MS, signal } = options;
  return segmentsWith(stepOn(client, { timeoutMs, signal }), wav, rules);
}

/** The same over any way to run the network. */
export function segmentsWith(
  step: Step,
  wav: Uint8Array,
  rules: SegmentRules = DEFAULT_RULES,
): AsyncGenerator<Segment, void, undefined> {
  const { samples, sampleRate } = readWav(wav);
  const speech = speechProbabilities(resample(samples, sampleRate, SAMPLE_RATE), step);
  return segmentsOf(speech, WINDOW_MS, rules, (1000 * samples.length) / sampleRate);
}
