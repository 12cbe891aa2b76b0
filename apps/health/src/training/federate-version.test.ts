import {
  readModel,
  signatureOf,
  tensor,
  values,
  writeModel,
  type NumericTensor,
} from '@skein/onnx';
import { nativeRuntime } from '@skein/runtime';
import { assemblePublic } from '@skein/train';
import { expect, it } from 'vitest';
import { network } from '../method/network.ts';
import { COLUMNS, FACTS, QUESTIONS } from '../method/questions.ts';
import { openScorer } from '../method/scorer.ts';
import { coreOf } from './federate-version.ts';
import { generatedHospitals } from './heart-rows.ts';

it('scores a patient as the federated model with its encoder does', async () => {
  const whole = assemblePublic(COLUMNS, ({ inputs, seed }) => network(inputs, seed), 3);
  const rows = generatedHospitals()['va']!.slice(0, 20);
  const columns = QUESTIONS.length;
  const raw = Float32Array.from(
    rows.flatMap(({ answers }) =>
      QUESTIONS.map((question) => {
        const feature = COLUMNS.features.find(({ name }) => name === question)!;
        // The encoder takes the place of a category in its list.
        return feature.kind === 'number'
          ? answers[question]
          : feature.categories.indexOf(String(answers[question]));
      }),
    ),
  );
  const [input] = signatureOf(whole).inputs;
  const session = await nativeRuntime.openInline!(
    { bytes: writeModel(whole) },
    { device: 'cpu', threads: 1 },
  );
  const { outputs } = session.run(
    new Map([[input!.name, tensor('float32', [rows.length, columns], raw)]]),
  );
  session.close();
  const probabilities = values([...outputs.values()][0] as NumericTensor);
  const scorer = await openScorer(coreOf(readModel(new Uint8Array(writeModel(whole)))));
  const logits = scorer.logits(rows.map(({ answers }) => answers));
  scorer.close();
  logits.forEach((logit, i) =>
    expect(1 / (1 + Math.exp(-logit))).toBeCloseTo(Number(probabilities[i]), 5),
  );
  expect(new Set(logits).size).toBeGreaterThan(10);
  expect(Object.keys(FACTS)).toEqual([...QUESTIONS]);
});
