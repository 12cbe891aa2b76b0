/** `skein deploy`: serves a model file or a composition. */
import { basename } from 'node:path';
import type { VersionView } from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { formatDuration } from '@skein/api/units';
import { isAddress } from '@skein/state/sources';
import { defineCommand } from '../../command-line/command.ts';
import { connect, connectionOptions } from '../../connection/connection.ts';
import { contentOf, type Opened } from '../../deploying/content.ts';
import { serveVersion, storedVersions, type Deployed } from '../../deploying/deploying.ts';
import {
  deployLanguageModel,
  languageModelPath,
  renderLanguage,
  type LanguageDeployed,
} from '../../deploying/language-deploy.ts';
import { digestOf, requireDigest } from '../../deploying/remote-model.ts';
import { settingsOf, settingsOptions } from '../../deploying/settings.ts';
import { flag, many, optionalArgument, text } from '../../command-line/option.ts';
import {
  batchText,
  objectiveText,
  replicasText,
  signatureText,
  versionsText,
} from '../../output/deployment.ts';
import { type Field, renderFields } from '../../output/table.ts';
import { rolloutLine, rolloutOptions, rolloutPlan } from './rollout.ts';
import { tryLines } from '../../deploying/sample-request.ts';
import { recordDeployed } from '../../train/runs.ts';
import { countingFetch, uploadNotes, type UploadProgress } from '../../deploying/upload.ts';
import { conversionFields } from '../../output/conversion.ts';
import { pairsOf, usageError } from '../../command-line/usage.ts';

export const deploy = defineCommand({
  name: 'deploy',
  summary: 'Serve an ONNX model, a composition or a language model, or roll a new version out.',
  details:
    'The file is uploaded, checked, loaded and warmed before it takes traffic. A name that is deployed already moves to the new version: at once, by steps with --canary, or on a copy of the traffic with --shadow. Settings that are left out stay as they are. A TypeScript file is a composition: the node bundles it with what it imports, and needs the file no more. A .ubj or .json file of XGBoost, or a .txt file of LightGBM, is converted to ONNX and compared before it is uploaded: with the predictions in --rows, and with the file itself on these rows or on rows around its thresholds. An estimator of scikit-learn (.joblib, .pkl) is a pickle, which can run code: the machine’s own scikit-learn reads it in a sandbox without network, and its predictions must agree. An archive of PyTorch (torch.jit.save or torch.export.save) can run code: the machine’s own PyTorch converts it in a sandbox without network, and its outputs must agree. A model on another machine is given by its address; credentials come from the environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, HF_TOKEN. The sha-256 of its file is kept with the version. A folder with a language model in ONNX, or a .gguf file, is declared as a provider and a model of one name: it stays where it is, on the machine of the node.',
  examples: {
    'skein deploy model.onnx --name risk --objective 100ms': 'Serve a model',
    'skein deploy model.onnx --name risk --canary 5,25,100 --step-time 30s':
      'Shift traffic to a new version by steps',
    'skein deploy risk.ubj --rows sample.csv': 'A model of XGBoost, compared with predictions',
    'skein deploy churn.joblib': 'A pipeline of scikit-learn',
    'skein deploy model.pt --input x=float32[batch,3,224,224]':
      'An archive of TorchScript, and the shape of its input',
    'skein deploy model.onnx --weights tuned.safetensors':
      'A model with the weights of another file',
    'skein deploy hf://owner/model@main:onnx/model.onnx': 'A file of Hugging Face',
    'skein deploy s3://models/risk.onnx --digest SHA256': 'An object whose content is known',
    'skein deploy --run last --name risk': 'Serve the newest trained model',
    'skein deploy ocr.composition.ts --name ocr': 'A composition of deployments',
    'skein deploy ./smollm --name assistant': 'A language model in a folder',
  },
  arguments: {
    file: optionalArgument(
      'FILE',
      'An .onnx file or a model of XGBoost, LightGBM, scikit-learn or PyTorch, or its address (https://, s3://, gs://, hf://); a .ts module, a folder or .gguf file of a language model; or --run instead.',
    ),
  },
  options: {
    name: text('NAME', 'Name of the deployment; default: the name of the file or run.'),
    run: text('RUN', 'Deploy what a training run made; skein runs ls lists them.'),
    rows: text(
      'FILE',
      'CSV rows to compare a converted model on: its features, and its predictions in columns named like its outputs.',
    ),
    input: many(
      'NAME=TYPE[SHAPE]',
      'Type and shape of an input of a PyTorch archive, for each input, where the archive does not hold them; a name in the shape is an axis of any size.',
    ),
    weights: text(
      'FILE',
      'Weights in the safetensors format, which replace the weights in the .onnx file, each by its name.',
    ),
    ...settingsOptions,
    ...rolloutOptions,
    metadata: many('KEY=TEXT', 'Free text kept with the version.'),
    untrusted: flag(
      'Treat the file as untrusted: the version only ever runs in a process of its own.',
    ),
    digest: text(
      'SHA256',
      'Refuse a model whose file, with all weights in it, has another sha-256.',
    ),
    tokenEnv: text('NAME', 'Variable with the bearer token for an https:// address.'),
    allowPrivate: flag('Let an address lead to this machine or its network.'),
    ...connectionOptions,
  },
  async run(
    context,
    { file, name: givenName, metadata: givenMetadata, ...options },
  ): Promise<Deployed | LanguageDeployed> {
    const path =
      file === undefined || isAddress(file)
        ? undefined
        : await languageModelPath(context.cwd, file);
    if (path !== undefined) {
      const isVersioned =
        options.run !== undefined ||
        options.rows !== undefined ||
        options.input.length > 0 ||
        options.weights !== undefined ||
        options.untrusted ||
        options.digest !== undefined ||
        givenMetadata.length > 0 ||
        rolloutPlan(options) !== undefined ||
        Object.keys(settingsOf(options)).length > 0;
      if (isVersioned) throw usageError(NAME_ALONE);
      const { client, url, key } = await connect(context, options);
      const name = givenName ?? nameOf(path);
      const node = { client, url, hasKey: key !== undefined };
      return deployLanguageModel(node, { name, path }, context.signal);
    }
    const found = await contentOf(context, file, options);
    if (options.untrusted && 'modulePath' in found) {
      throw usageError(
        '--untrusted is for models: a composition runs with the rights of the node.',
      );
    }
    if (options.digest !== undefined && 'modulePath' in found) {
      throw usageError('--digest is for models: the node bundles a composition itself.');
    }
    const name = givenName ?? nameOf(found.name);
    const settings = settingsOf(options);
    const plan = rolloutPlan(options);
    const metadata = { ...found.metadata, ...pairsOf('--metadata', 'KEY=TEXT', givenMetadata) };
    const started = performance.now();

    let onProgress: UploadProgress = () => undefined;
    const { client, url, key } = await connect(context, options, (fetch) =>
      countingFetch((sent, total) => onProgress(sent, total), fetch),
    );
    const kind = 'modulePath' in found ? 'composition' : 'onnx';
    // A refused deploy uses no version number.
    await client.checkDeploy({ name, kind, settings });
    const stored = await storedVersions(client, name);
    let version: VersionView;
    let opened: Opened | undefined;
    if ('modulePath' in found) {
      const { modulePath } = found;
      version = await client.importComposition({ name, modulePath, metadata });
    } else {
      opened = await found.fetch();
      try {
        const digest = await digestOf(opened.source);
        if (options.digest !== undefined) requireDigest(digest, options.digest, found.name);
        onProgress = uploadNotes(context.notes, `Uploading ${found.name}`);
        version = await client.importModel({
          name,
          content: opened.content,
          metadata: {
            ...opened.metadata,
            ...metadata,
            ...(found.isRemote ? { sourceDigest: digest } : {}),
          },
          ...(options.untrusted ? { trust: 'untrusted' } : {}),
        });
        onProgress = () => undefined;
        await requireSent(version, opened.content);
      } finally {
        await opened.remove?.();
      }
    }
    const deploying = { name, version: version.version, settings, plan };
    const deployment = await serveVersion(context, client, deploying).catch(
      async (error: unknown) => {
        // A version that the node has refused must not stay in its index; one that was there stays.
        if (isRefusal(error) && !stored.has(version.version)) {
          await client.removeVersion(deploying).catch(() => undefined);
        }
        throw error;
      },
    );
    if (found.run !== undefined) await recordDeployed(context, options, found.run, version);
    return {
      version,
      deployment,
      ...(opened?.conversion === undefined ? {} : { conversion: opened.conversion }),
      tookMs: performance.now() - started,
      try: tryLines(deployment, url, key !== undefined, options),
    };
  },
  render(deployed, style) {
    if ('language' in deployed) return renderLanguage(deployed, style);
    const { deployment: view, version, tookMs, try: lines, conversion } = deployed;
    const rolling =
      view.rollout?.phase === 'finished' || view.rollout?.phase === 'rolled-back'
        ? undefined
        : view.rollout;
    const what = rolling
      ? `${style.bold(view.name)}: ${rolloutLine(rolling, style)}`
      : `${style.green('✓')} ${style.bold(view.name)} v${version.version} is served ${style.dim(`(${formatDuration(tookMs)})`)}`;
    const fields: Field[] = [
      ...(conversion === undefined ? [] : conversionFields(conversion)),
      ['inputs', signatureText(view.signature.inputs)],
      ['outputs', signatureText(view.signature.outputs)],
      ['objective', objectiveText(view)],
      ['replicas', view.kind === 'onnx' ? replicasText(view) : undefined],
      ['serves', rolling ? versionsText(view) : undefined],
      ['batch', batchText(view)],
    ];
    const hints = rolling ? [`skein rollout ${view.name} --watch`] : lines;
    return [
      what,
      indent(renderFields(style, fields)),
      '',
      `Try ${style.dim(rolling ? '(how it goes)' : '(call it)')}:`,
      ...hints.map((line) => `  ${style.cyan(style.commands(line))}`),
    ].join('\n');
  },
});

const NAME_ALONE =
  'A language model takes --name alone: settings, rollouts, --run, --rows, --input, --weights, --metadata, --digest and --untrusted are for ONNX models and compositions.';

/** Whether the node refused because the version or its settings must change. */
function isRefusal(error: unknown): boolean {
  return error instanceof SkeinError && error.row.kind === 'user' && error.code !== 'CANCELLED';
}

/** The node computes the digest of what arrives. @throws SkeinError SOURCE_CHANGED. */
async function requireSent({ digest, metadata }: VersionView, content: Blob): Promise<void> {
  const sent = await digestOf(content);
  // A node that rewrites a model keeps the digest of the file.
  if (metadata['uploadedDigest'] !== sent) requireDigest(digest, sent, 'What the node stored');
}

/** `My Model.v2.onnx` → `my-model.v2` */
function nameOf(file: string): string {
  const name = basename(file)
    .replace(/\.(onnx|gguf|ubj|json|txt|joblib|pkl|pickle|pt2?|pth|[cm]?[jt]s)$/i, '')
    .replace(/\.composition$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
    .slice(0, 63);
  if (name === '') {
    throw new SkeinError('USAGE', `No name can be made from "${file}": give one with --name NAME.`);
  }
  return name;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
