/** Sixteen faults of an upstream, for callers that stream and that do not: how many end as they must. */
import { LanguageSettings } from '@skein/api';
import { openGateway } from '@skein/generative';
import { FAULTS, openFaultyUpstream, type FaultName } from '@skein/generative/faulty-upstream';
import type { RowGroup } from '../harness/row-group.ts';
import { ask } from './requests.ts';

const DEADLINE_MS = 3000;
/** A timer of a busy machine is late; the slow faults take 21 s. */
const LATE_MS = 2000;
const MODES = ['streaming', 'whole'] as const;
const KEYS = MODES.flatMap((mode) => [`${mode}-alone`, `${mode}-pair`]);

export const FAULT_ROWS: RowGroup = {
  measures: [
    {
      key: 'faults_passed',
      what: 'faults of an upstream that end as they must, of 16 × 2',
      unit: '',
      target: { atLeast: 32 },
    },
  ],
  async measure({ progress }) {
    const upstream = await openFaultyUpstream();
    const names = Object.keys(FAULTS) as FaultName[];
    const gateway = await openGateway({
      settings: LanguageSettings.parse({
        // A key for each row: what is learned of one must not answer another.
        providers: [...names, 'none' as const].flatMap((fault) =>
          KEYS.map((key) => ({
            name: `${fault}-${key}`,
            kind: 'openai',
            baseUrl: upstream.baseUrl('openai', fault),
            headers: { 'x-key': key },
          })),
        ),
        models: names.flatMap((fault) =>
          KEYS.map((key) => {
            const model = { ttftMs: DEADLINE_MS / 4, gapMs: 500, hedge: false };
            const route = { provider: `${fault}-${key}`, model: 'm' };
            const other = { provider: `none-${key}`, model: 'm' };
            const routes = key.endsWith('pair') ? [route, other] : [route];
            return { ...model, name: `${fault}/${key}`, routes };
          }),
        ),
      }),
    });
    const failed: string[] = [];
    let passed = 0;
    try {
      await Promise.all(
        names.flatMap((name) =>
          MODES.map(async (mode) => {
            const fault = FAULTS[name];
            const options = { stream: mode === 'streaming', tools: name === 'tool-name-repeated' };
            const [alone, pair] = await Promise.all([
              ask(gateway, `${name}/${mode}-alone`, options),
              ask(gateway, `${name}/${mode}-pair`, options),
            ]);
            const end = fault[mode];
            const isInTime = Math.max(alone.totalMs, pair.totalMs) < DEADLINE_MS + LATE_MS;
            const isAnswered = end === 'answered' || fault.fallsBack[mode];
            const isRight =
              alone.code === (end === 'answered' ? undefined : end) &&
              pair.code === (isAnswered ? undefined : end) &&
              (name !== 'tool-name-repeated' || alone.text === 'look_up{"q":"x"}');
            if (isRight && isInTime) passed += 1;
            else
              failed.push(
                `${name}/${mode}: ${alone.code ?? 'answered'}, ${pair.code ?? 'answered'}`,
              );
          }),
        ),
      );
    } finally {
      await gateway.close();
      await upstream.close();
    }
    progress(`faults: ${passed} of ${2 * names.length}`);
    return { results: { faults_passed: passed }, details: { faults_failed: failed } };
  },
};
