/** A rollout in one line: how far it is, and why. */
import type { RolloutView } from '@skein/api';
import { formatNumber } from '@skein/api/units';
import { bar } from './notes.ts';
import type { Style } from './style.ts';

export function rolloutLine(rollout: RolloutView, style: Style): string {
  const versions = `v${rollout.fromVersion} → v${rollout.toVersion}`;
  const reason = rollout.reason === '' ? '' : style.dim(` ${rollout.reason}`);
  switch (rollout.phase) {
    case 'warming':
      return `${versions} ${style.yellow('warming')}${reason}`;
    case 'shifting':
      return `${versions} ${bar(rollout.share / 100, 20)} ${formatNumber(rollout.share)} %${reason}`;
    case 'comparing':
      return `${versions} ${style.yellow('comparing')}${comparisonText(rollout)}${reason}`;
    case 'finished':
      return `${versions} ${style.green('finished')}${comparisonText(rollout)}${reason}`;
    case 'rolled-back':
      return `${versions} ${style.red('rolled back')}${comparisonText(rollout)}${reason}`;
  }
}

function comparisonText({ comparison }: RolloutView): string {
  if (comparison === undefined) return '';
  const { compared, differing, maxDifference } = comparison;
  return ` ${compared} compared, ${differing} differ, largest difference ${maxDifference.toPrecision(3)};`;
}
