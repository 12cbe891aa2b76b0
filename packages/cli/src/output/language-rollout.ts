/** A rollout of a language model in one line. */
import type { LanguageRolloutView } from '@skein/api';
import { formatDuration, formatNumber } from '@skein/api/units';
import { bar } from './notes.ts';
import type { Style } from './style.ts';

export function languageRolloutLine(rollout: LanguageRolloutView, style: Style): string {
  const { phase, from, to, share, copied } = rollout;
  const routes = `${from} → ${to}`;
  const why = `${seenText(rollout)}${style.dim(` ${rollout.reason}`)}`;
  switch (phase) {
    case 'shifting':
      return `${routes} ${bar(share / 100, 20)} ${formatNumber(share)} %${why}`;
    case 'comparing':
      return `${routes} ${style.yellow('comparing')} ${formatNumber(copied)} %${why}`;
    case 'finished':
      return `${routes} ${style.green('finished')}${why}`;
    case 'rolled-back':
      return `${routes} ${style.red('rolled back')}${why}`;
  }
}

function seenText({ candidate, stable, copies, strategy }: LanguageRolloutView): string {
  const { requests, errors, late, ttftP99Ms } = candidate;
  const old = stable.ttftP99Ms === null ? '' : `, ${formatDuration(stable.ttftP99Ms)} before`;
  const first = ttftP99Ms === null ? '' : `, first token p99 ${formatDuration(ttftP99Ms)}${old}`;
  const cost =
    strategy === 'shadow'
      ? `; ${copies.sent} copies for $${copies.costUsd.toFixed(4)}, ${copies.skipped} skipped`
      : '';
  return ` ${requests} requests, ${errors} failed, ${late} late${first}${cost};`;
}
