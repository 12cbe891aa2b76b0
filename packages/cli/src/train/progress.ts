/** Progress of a run on stderr: a line per epoch under a heading, and the current step. */
import type { RunEpoch } from '@skein/api';
import type { Progress } from '@skein/train';
import type { Preparation } from '@skein/train/run';
import { formatDuration } from '@skein/api/units';
import { bar, type Notes } from '../output/notes.ts';

/** Milliseconds between two updates of the line. */
const DRAWN_EVERY = 50;
const WIDTH = 11;
/** Work that takes longer leaves a line. */
const LONG_MS = 2000;

/** Columns that a metric's name is shortened to. */
const TITLES: Readonly<Record<string, string>> = {
  validationLoss: 'val. loss',
  macroF1: 'F1',
  auc: 'AUC',
  calibrationError: 'calibration',
  mae: 'MAE',
  rmse: 'RMSE',
  r2: 'R²',
};

export function metricTitle(name: string): string {
  return TITLES[name] ?? name;
}

/** Four significant digits, without trailing zeros. */
export function formatMetric(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(2);
  return size < 1 ? value.toFixed(4) : String(Number(value.toPrecision(5)));
}

const rateOf = (rows: number, tookMs: number): string =>
  `${Math.round((1000 * rows) / Math.max(1, tookMs)).toLocaleString('en')} rows/s`;

export function createProgress(notes: Notes, now: () => number = () => performance.now()) {
  let drawnAt = Number.NEGATIVE_INFINITY;
  let headed = false;
  let stage: { doing: Preparation['doing']; begun: number; rows: number } | undefined;
  const endStage = () => {
    if (stage === undefined) return;
    const { doing, begun, rows } = stage;
    stage = undefined;
    const took = now() - begun;
    if (took < LONG_MS) return;
    const counted = rows === 0 ? '' : ` ${rows.toLocaleString('en')} rows, ${rateOf(rows, took)},`;
    notes.line(notes.style.dim(`${doing}:${counted} ${formatDuration(took)}`));
  };
  const row = (cells: readonly string[]) =>
    cells.map((cell, i) => cell.padStart(i === 0 ? 7 : WIDTH)).join(' ');
  return {
    /** A line that is replaced, and one that stays for each kind of work that took long. */
    preparation({ doing, share, rows = 0 }: Preparation): void {
      const at = now();
      if (stage?.doing !== doing) {
        endStage();
        stage = { doing, begun: at, rows: 0 };
      }
      stage.rows = rows;
      if (at - drawnAt < DRAWN_EVERY) return;
      drawnAt = at;
      const took = at - stage.begun;
      const left = share > 0 ? `, ${formatDuration((took * (1 - share)) / share)} left` : '';
      const counted =
        rows === 0 ? '' : `, ${rows.toLocaleString('en')} rows, ${rateOf(rows, took)}`;
      notes.progress(`${bar(share, 20)} ${doing}${counted}${took < LONG_MS ? '' : left}`);
    },
    step({ epoch, epochs, step, steps, loss, leftMs }: Progress): void {
      endStage();
      const at = now();
      if (step < steps && at - drawnAt < DRAWN_EVERY) return;
      drawnAt = at;
      const left = step < steps ? `, ${formatDuration(leftMs)} left` : '';
      notes.progress(
        `${bar(step / steps, 20)} epoch ${epoch + 1} of ${epochs}, loss ${formatMetric(loss)}${left}`,
      );
    },
    epoch({ epoch, loss, learningRate, tookMs, metrics }: RunEpoch): void {
      const shown = Object.entries(metrics).filter(([name]) => name !== 'calibrationError');
      if (!headed) {
        headed = true;
        const names = shown.map(([name]) => metricTitle(name));
        notes.line(notes.style.dim(row(['epoch', 'loss', ...names, 'rate', 'took'])));
      }
      const numbers = shown.map(([, value]) => formatMetric(value));
      notes.line(
        row([
          String(epoch),
          formatMetric(loss),
          ...numbers,
          formatMetric(learningRate),
          formatDuration(tookMs),
        ]),
      );
    },
  };
}
