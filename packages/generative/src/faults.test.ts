/** Each fault of an upstream, for callers that stream and that do not, alone and with a second provider. */
import { LanguageSettings, SkeinError } from '@skein/api';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gateway, GenerateEvent } from './contract.ts';
import { openGateway } from './gateway.ts';
import { FAULTS, type Fault, type FaultName } from './faulty-upstream/faults.ts';
import { openFaultyUpstream, type FaultyUpstream } from './faulty-upstream/faulty-upstream.ts';
import { callerOf, eventsOf, requestOf, textOf } from './testing/calls.ts';

const WORDS = 'the quick brown fox jumps over lazy dogs';
/** Far below the 21 s of the slow faults, and enough for a busy machine where nothing is slow. */
const DEADLINE_MS = 4000;

const MODES = [
  ['streaming', true],
  ['whole', false],
] as const;

const TESTS = MODES.flatMap(([mode]) => [`${mode}-alone`, `${mode}-pair`]);

let upstream: FaultyUpstream;
let gateway: Gateway;

beforeAll(async () => {
  upstream = await openFaultyUpstream();
  const names = Object.keys(FAULTS) as FaultName[];
  const kinds = ['openai', 'gemini'] as const;
  gateway = await openGateway({
    settings: LanguageSettings.parse({
      // An upstream and a key for each test: what one learns of them must not answer the other.
      providers: kinds.flatMap((kind) =>
        [...names, 'none' as const].flatMap((fault) =>
          TESTS.map((each) => ({
            name: `${kind}-${fault}-${each}`,
            kind,
            baseUrl: upstream.baseUrl(kind, fault),
            headers: { 'x-key': each },
          })),
        ),
      ),
      models: kinds.flatMap((kind) =>
        names.flatMap((fault) => {
          const model = { ttftMs: DEADLINE_MS / 4, gapMs: 500, cache: false, hedge: false };
          return TESTS.map((each) => {
            const route = { provider: `${kind}-${fault}-${each}`, model: 'm' };
            const other = { provider: `${kind}-none-${each}`, model: 'm' };
            const routes = each.endsWith('pair') ? [route, other] : [route];
            return { ...model, name: `${kind}/${fault}/${each}`, routes };
          });
        }),
      ),
    }),
  });
});
afterAll(async () => {
  await gateway.close();
  await upstream.close();
});

const TOOL = { name: 'look_up', parameters: { type: 'object' } };

async function ask(model: string, stream: boolean, withTools: boolean): Promise<GenerateEvent[]> {
  const request = requestOf(model, { stream, ...(withTools ? { tools: [TOOL] } : {}) });
  return eventsOf(await gateway.generate(request, callerOf()));
}

describe.concurrent.each(['openai', 'gemini'])('an upstream of the form %s', (kind) => {
  describe.each(Object.entries(FAULTS) as [FaultName, Fault][])(
    'with the fault %s',
    (name, fault) => {
      const withTools = name === 'tool-name-repeated';

      it.each(MODES)('ends as in the table by the deadline: %s', async (mode, stream) => {
        const begun = performance.now();
        const outcome = await ask(`${kind}/${name}/${mode}-alone`, stream, withTools).catch(
          (error: unknown) => error,
        );
        // The deadline of the slow faults; timers of a busy machine are late, by far less than 21 s.
        expect(performance.now() - begun).toBeLessThan(4 * DEADLINE_MS);
        const end = fault[mode];
        if (end === 'answered') {
          const calls = (outcome as GenerateEvent[]).filter(({ type }) => type === 'tool-call');
          const text = calls.map((call) => ('arguments' in call ? call.arguments : '')).join('');
          expect(JSON.parse(text)).toEqual({ q: 'x' });
          expect(calls.filter((call) => 'name' in call)).toHaveLength(1);
          expect((outcome as GenerateEvent[]).at(-1)).toMatchObject({ type: 'usage' });
          return;
        }
        expect(outcome).toBeInstanceOf(SkeinError);
        expect((outcome as SkeinError).code).toBe(end);
      });

      it.each(MODES)('leaves the answer to a second provider: %s', async (mode, stream) => {
        if (fault[mode] === 'answered') return;
        const answer = ask(`${kind}/${name}/${mode}-pair`, stream, withTools);
        if (!fault.fallsBack[mode])
          return expect(answer).rejects.toMatchObject({ code: fault[mode] });
        expect(textOf(await answer)).toBe(WORDS);
      });
    },
  );
});
