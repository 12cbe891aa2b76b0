/** `skein-health train`: a version from rows in one place, with the label. */
import { SkeinError } from '@skein/api';
import { makeFolders } from '@skein/api/folders';
import { generatedHospitals, readHospitals } from '../training/heart-rows.ts';
import { trainVersion } from '../training/train-version.ts';
import { giveLabel, storeVersion } from '../training/version-store.ts';
import type { Command } from './options.ts';

export const runTrain: Command = async (operands, options, { stdout }) => {
  if (operands.length > 0) throw new SkeinError('USAGE', `train takes no ${operands[0]}.`);
  const { rows, data, seed } = options;
  const hospitals = rows === undefined ? generatedHospitals() : await readHospitals(rows);
  const source = rows === undefined ? 'generated patients' : 'UCI heart disease, dataset 45';
  const trained = await trainVersion(hospitals, source, seed);
  await makeFolders(data, 0o700);
  const digest = await storeVersion(data, trained);
  await giveLabel(data, digest);
  const { temperature, thresholds } = trained.version;
  if (options.json) {
    stdout.write(`${JSON.stringify({ version: digest, source, temperature, thresholds })}\n`);
    return 0;
  }
  stdout.write(`Version ${digest} of ${source}\n`);
  stdout.write(`  temperature ${temperature.toFixed(2)}\n`);
  for (const [site, { margin, patients }] of Object.entries(thresholds)) {
    const words =
      margin === null ? 'too few patients: no answers there' : `margin ${margin.toFixed(1)} logits`;
    stdout.write(
      `  ${site.padEnd(12)} calibrated on ${String(patients).padStart(4)} patients, ${words}\n`,
    );
  }
  return 0;
};
