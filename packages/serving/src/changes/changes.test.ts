import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RolloutPlan, SkeinError } from '@skein/api';
import { ACTOR, codeOf, openScene, request } from '../testing/scene.ts';

/** Any of these changes may overlap with any other. */
const change = fc.oneof(
  fc.record({
    kind: fc.constant('deploy' as const),
    version: fc.integer({ min: 1, max: 5 }),
    strategy: fc.constantFrom('immediate' as const, 'canary' as const, 'shadow' as const),
  }),
  fc.record({ kind: fc.constant('settings' as const), threads: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('rollback' as const) }),
  fc.record({ kind: fc.constant('undeploy' as const) }),
  fc.record({ kind: fc.constant('unload' as const) }),
  fc.record({ kind: fc.constant('requests' as const), count: fc.nat(5) }),
);

const EXPECTED = new Set([
  'succeeded',
  'VERSION_SERVED',
  'ROLLOUT_IN_PROGRESS',
  'ROLLED_BACK',
  'MODEL_UNKNOWN',
  'MODEL_LOAD_FAILED',
  'NOTHING_TO_ROLL_BACK',
  'DEPLOYMENT_INVALID',
  'NO_REPLICA',
]);

describe('changes of a deployment', () => {
  it('that are concurrent and in any order leave one serving version and no other target', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(change, fc.nat(6)), { minLength: 1, maxLength: 12 }),
        async (steps) => {
          const scene = await openScene();
          const { serving, state, targets } = scene;
          // The fourth cannot load, the fifth takes longer.
          for (let version = 1; version <= 5; version++) {
            const loading = version === 5 ? new Promise<void>((r) => setTimeout(r, 2)) : undefined;
            await scene.version('risk', {
              ...(version === 4
                ? { loadError: new SkeinError('MODEL_LOAD_FAILED', 'Bad model.') }
                : {}),
              ...(loading === undefined ? {} : { loading }),
            });
          }
          const outcomes: Promise<string>[] = [];
          for (const [step, turns] of steps) {
            if (step.kind === 'deploy') {
              const plan = RolloutPlan.parse({ strategy: step.strategy, stepMs: 60_000 });
              const version = String(step.version);
              outcomes.push(codeOf(serving.deploy({ name: 'risk', version, plan }, ACTOR)));
            } else if (step.kind === 'settings') {
              const { threads } = step;
              outcomes.push(
                codeOf(serving.changeSettings('risk', { threads, replicas: { max: 2 } }, ACTOR)),
              );
            } else if (step.kind === 'rollback') {
              outcomes.push(codeOf(serving.rollback('risk', 'because', ACTOR)));
            } else if (step.kind === 'undeploy' || step.kind === 'unload') {
              outcomes.push(codeOf(serving[step.kind]('risk', ACTOR)));
            } else {
              for (let i = 0; i < step.count; i++) {
                outcomes.push(codeOf(serving.infer(request('risk'))));
              }
            }
            for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
          }
          for (const outcome of await Promise.all(outcomes)) expect(EXPECTED).toContain(outcome);

          // A canary or shadow that still runs has two versions; its end leaves one.
          const [view] = serving.views();
          const row = await state.deployment('risk');
          if (view === undefined) {
            expect(row).toBeUndefined();
            expect(targets.every(({ drained }) => drained)).toBe(true);
          } else if (view.status === 'unloaded') {
            expect(view.targets).toEqual([]);
            expect(row).toMatchObject({ unloaded: true, settings: view.settings });
            expect(targets.every(({ drained }) => drained)).toBe(true);
          } else {
            expect(row?.unloaded).toBeUndefined();
            const running =
              view.rollout?.phase === 'shifting' || view.rollout?.phase === 'comparing';
            expect(view.targets).toHaveLength(running ? 2 : 1);
            if (running) await serving.rollback('risk', 'end it', ACTOR);
            const [target, ...others] = serving.view('risk').targets;
            expect(others).toEqual([]);
            expect(row?.targets).toEqual([{ version: target!.version, weight: 100 }]);
            expect(row?.settings).toEqual(serving.view('risk').settings);
            expect((await serving.infer(request('risk'))).version).toBe(target!.version);
            expect(targets.filter(({ drained }) => !drained)).toHaveLength(1);
          }
          await serving.drain();
          expect(targets.every(({ drained }) => drained)).toBe(true);
          await state.close();
        },
      ),
      { numRuns: 150 },
    );
  });
});
