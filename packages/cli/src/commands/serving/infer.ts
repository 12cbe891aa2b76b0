/** `skein infer`: sends one request and prints its answer as text. */
import { texts, type OutputTensor } from '@skein/api/client';
import { defineCommand } from '../../command-line/command.ts';
import { connect, connectionOptions } from '../../connection/connection.ts';
import { argument, duration, integer, many, text } from '../../command-line/option.ts';
import { renderTensor, tensorJson } from '../../output/tensors.ts';
import { fetchSignature } from '../../deploying/signature.ts';
import { readInputs } from '../../tensor/given-input.ts';
import { trustOptions } from '../../connection/trust.ts';

export interface Answer {
  readonly deployment: string;
  readonly version: string | undefined;
  readonly id: string | undefined;
  readonly tookMs: number;
  readonly outputs: Readonly<Record<string, OutputTensor>>;
  toJSON(): unknown;
}

export const infer = defineCommand({
  name: 'infer',
  summary: 'Send one request and print the answer.',
  details:
    'A deployment with an output called text, such as the OCR example, prints its lines. Any other prints its tensors; a classifier’s have the names of the classes. Shapes are taken from the values: a flat list fills the shape that the model declares, and a missing batch dimension becomes 1.',
  examples: {
    'skein infer ocr --image invoice.png': 'The lines of text in an image',
    'skein infer risk --data \'{"x": [0.2, 1.4]}\'': 'Values by input name',
    'skein infer risk --input x=rows.npy --json': 'A NumPy file in, JSON out',
  },
  arguments: { name: argument('NAME', 'The deployment.', { completes: 'deployment' }) },
  options: {
    input: {
      ...many('NAME=VALUE', 'Values: FILE.npy, FILE.json, @FILE for its bytes, or JSON.', {
        short: 'i',
        completes: 'file',
      }),
    },
    image: text('FILE', 'Send the bytes of an image file.'),
    data: text('JSON', 'All inputs: {"NAME": values}, or an Open Inference body; or @FILE.', {
      short: 'd',
    }),
    output: many('NAME', 'Print only this output.', { short: 'o' }),
    version: text('N', 'Version to ask, instead of the one that takes traffic.'),
    timeout: duration('Deadline of the request; default: the objective.', [1, 3_600_000]),
    priority: integer('N', 'Urgency; 1 is the most urgent.', [0, 1_000_000]),
    server: connectionOptions.server,
    key: connectionOptions.key,
    ...trustOptions,
    folder: { ...connectionOptions.data },
  },
  async run(context, given): Promise<Answer> {
    const { name, version, timeout, priority, output } = given;
    const connection = await connect(context, { ...given, data: given.folder });
    const signature = await fetchSignature(connection, name, version, context.signal);
    const inputs = await readInputs(given, signature, context.cwd);
    const startedAt = performance.now();
    const answer = await connection.client.infer(name, inputs, {
      version,
      timeoutMs: timeout,
      priority,
      outputs: output.length === 0 ? undefined : output,
      classNames: true,
    });
    const { deployment, id, outputs } = answer;
    const tookMs = performance.now() - startedAt;
    return {
      deployment,
      version: answer.version,
      id,
      tookMs,
      outputs,
      toJSON: () => ({
        deployment,
        version: answer.version,
        id,
        tookMs,
        outputs: Object.fromEntries(
          Object.entries(outputs).map(([key, tensor]) => [key, tensorJson(tensor)]),
        ),
      }),
    };
  },
  render({ outputs }, style) {
    const { text: lines } = outputs;
    if (lines?.type === 'string') return texts(lines).join('\n');
    return Object.entries(outputs)
      .map(([name, tensor]) => renderTensor(name, tensor, style))
      .join('\n');
  },
});
