/** A thread that takes shared rows when it receives their ids, and reports the ids that it found. */
import { workerData, type MessagePort } from 'node:worker_threads';
import { values } from '@skein/onnx/tensor';
import { takeRows, type RowLayout } from '../shared-rows.ts';

const port = workerData as MessagePort;
port.on('message', ([memory, layout]: [SharedArrayBuffer, RowLayout]) => {
  const ids = new Map(takeRows(memory, layout)).get('id')!;
  port.postMessage(Array.from(values(ids) as BigInt64Array, Number));
});
