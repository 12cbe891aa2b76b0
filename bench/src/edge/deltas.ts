/**
 * Deltas between two versions of an int8 model, retrained on the same pictures, over the whole file; and over the best
 * general tool on the same two files. Bytes on the wire.
 */
import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { writeModel, type Model } from '@skein/onnx';
import { layersOf, planAll, quantise } from '@skein/onnx/quantise';
import { makeDelta } from '@skein/edge/publish';
import { temporaryFolder } from '../harness/folder.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { ALL_BUT_LAST, pictures, trained } from './fashion.ts';
import { firstVersion } from './first-version.ts';

/** A tenth of the rate at which the first version was trained. */
const RATE = 2e-4;
const STEPS = 500;
const QUICK_STEPS = 100;

export const DELTAS: RowGroup = {
  measures: [
    {
      key: 'delta_last',
      what: 'int8, its last layer retrained: delta over the whole file',
      unit: '',
      target: { atMost: 0.05 },
    },
    {
      key: 'delta_full',
      what: 'int8, all layers retrained at a tenth of the rate: delta over the whole file',
      unit: '',
      target: { atMost: 0.4 },
    },
    {
      key: 'delta_vs_best',
      what: '… over the smallest delta of bsdiff, xdelta3 and zstd',
      unit: '',
      target: { atMost: 1 },
    },
  ],
  async measure({ quick, progress }) {
    progress('deltas: training the first version');
    const first = await firstVersion(quick);
    const data = pictures('train');
    const steps = quick ? QUICK_STEPS : STEPS;
    const before = written(first);
    progress(`deltas: retraining for ${steps} steps`);
    const settings = { steps, rate: RATE, seed: 7 };
    const keep = written(first).model;
    const full = written(await trained(first, data, settings), keep);
    const last = written(await trained(first, data, { ...settings, frozen: [ALL_BUT_LAST] }), keep);
    const folder = await temporaryFolder();
    try {
      const whole = gzipSync(full.bytes).length;
      const own = sizesOf(before.bytes, full.bytes);
      const peers = peerSizes(folder.path, before.bytes, full.bytes);
      return {
        results: {
          delta_last: sizesOf(before.bytes, last.bytes) / gzipSync(last.bytes).length,
          delta_full: own / whole,
          ...(peers.size === 0 ? {} : { delta_vs_best: own / Math.min(...peers.values()) }),
        },
        details: { delta_bytes: { whole, own, steps, ...Object.fromEntries(peers) } },
      };
    } finally {
      await folder.remove();
    }
  },
};

interface Written {
  readonly model: Model;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

function written(model: Model, keep?: Model): Written {
  const made = quantise(model, planAll(layersOf(model), 'stored8'), { keep });
  return { model: made, bytes: new Uint8Array(writeModel(made)) };
}

function sizesOf(before: Written['bytes'], after: Written['bytes']): number {
  return gzipSync(makeDelta(before, after)).length;
}

/** Each tool that is installed: `(old, new, delta) → command`. */
const TOOLS: Readonly<Record<string, (...files: [string, string, string]) => readonly string[]>> = {
  bsdiff: (old, now, delta) => [old, now, delta],
  xdelta3: (old, now, delta) => ['-e', '-9', '-S', 'lzma', '-f', '-s', old, now, delta],
  zstd: (old, now, delta) => ['-19', '-q', '-f', `--patch-from=${old}`, now, '-o', delta],
};

function peerSizes(folder: string, before: Uint8Array, after: Uint8Array): Map<string, number> {
  const [old, now, delta] = ['old', 'new', 'delta'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(old, before);
  writeFileSync(now, after);
  const sizes = new Map<string, number>();
  for (const [tool, args] of Object.entries(TOOLS)) {
    try {
      execFileSync(tool, args(old, now, delta), { stdio: 'ignore' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw error;
    }
    sizes.set(tool, statSync(delta).size);
  }
  return sizes;
}
