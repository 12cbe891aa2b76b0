/**
 * The ceiling of this kind of server: Node's HTTP server and ONNX Runtime in one worker with greedy
 * batching. It checks nothing, and nothing has a deadline. MODEL: the file; PORT: where it listens.
 */
import { createServer, type ServerResponse } from 'node:http';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const options = { executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1 };
if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  let waiting: { row: Float32Array; answer: (y: Float32Array) => void }[] = [];
  let running: typeof waiting = [];
  const runAll = (): void => {
    if (running.length > 0 || waiting.length === 0) return;
    [running, waiting] = [waiting, []];
    worker.postMessage(
      running.map(({ row }) => row),
      [],
    );
  };
  worker.on('message', (y: Float32Array) => {
    const width = y.length / running.length;
    for (const [i, { answer }] of running.entries()) answer(y.subarray(i * width, (i + 1) * width));
    running = [];
    runAll();
  });
  const infer = (row: Float32Array, isJson: boolean, response: ServerResponse): void => {
    const shape = [1, 10];
    const body = (y: Float32Array): string | Buffer =>
      isJson
        ? JSON.stringify({ outputs: [{ name: 'y', datatype: 'FP32', shape, data: Array.from(y) }] })
        : Buffer.from(y.buffer, y.byteOffset, y.byteLength);
    waiting.push({ row, answer: (y) => response.end(body(y)) });
    runAll();
  };
  createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const bytes = Buffer.concat(pieces);
      if (request.url === '/ready') response.end();
      else if (request.url === '/json')
        infer(new Float32Array(JSON.parse(bytes.toString()).inputs[0].data), true, response);
      else infer(new Float32Array(new Uint8Array(bytes).buffer), false, response);
    });
  }).listen(Number(process.env['PORT']), '127.0.0.1');
} else {
  const session = await InferenceSession.create(process.env['MODEL']!, options);
  const run = async (rows: readonly Float32Array[]): Promise<void> => {
    const width = rows[0]!.length;
    const x = new Float32Array(rows.length * width);
    for (const [i, row] of rows.entries()) x.set(row, i * width);
    const outputs = await session.run({
      [session.inputNames[0]!]: new Tensor('float32', x, [rows.length, width]),
    });
    parentPort!.postMessage(outputs[session.outputNames[0]!]!.data, []);
  };
  parentPort!.on('message', (rows: Float32Array[]) => void run(rows));
}
