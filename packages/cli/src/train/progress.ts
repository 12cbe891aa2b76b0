/** Progress of a run on stderr: a line per epoch under a heading, and the current step. */
import type { RunEpoch } from '@skein/api';
import type { Progress } from '@skein/train';
import { formatDuration } from '@skein/api/units';
import { bar, type Notes } from '../output/notes.ts';

/** Milliseconds between two updates of the line. */
const DRAWN_EVERY = 50;
const WIDTH = 11;

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

export function createProgress(notes: Notes, now: () => number = () => performance.now()) {
  let drawnAt = Number.NEGATIVE_INFINITY;
  let headed = false;
  const row = (cells: readonly string[]) =>
    cells.map((cell, i) => cell.padStart(i === 0 ? 7 : WIDTH)).join(' ');
  return {
    step({ epoch, epochs, step, steps, loss, leftMs }: Progress): void {
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
