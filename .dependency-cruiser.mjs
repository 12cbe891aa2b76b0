// The import direction of docs/concepts/architecture.md, checked by `npm run imports`:
//   onnx, calls ← runtime;  api ← http;  api, calls ← state;  runtime, state ← train;  api, calls ← data;  state, sandbox, data ← jobs;
//   api, runtime, ui ← edge;  runtime, state ← serving ← fleet, generative;  train, http, state ← federation;  all of these and console ← server ← cli;  apps and examples take what they need.
const packages = '^packages/([^/]+)/';
const gateway = '^packages/server/src/gateway/';

import { readdirSync, readFileSync } from 'node:fs';

/** The files that the packages' own `exports` name: all that others may import. */
const surface = readdirSync(new URL('packages', import.meta.url)).flatMap((name) => {
  const { exports } = JSON.parse(
    readFileSync(new URL(`packages/${name}/package.json`, import.meta.url), 'utf8'),
  );
  return Object.values(exports ?? {}).map(
    (file) => `^packages/${name}/${file.slice(2).replaceAll('.', '\\.')}$`,
  );
});

/** Which workspace packages each package may import. */
const allowed = {
  calls: [],
  onnx: [],
  runtime: ['calls', 'onnx'],
  train: ['calls', 'onnx', 'runtime', 'api', 'state'],
  api: ['onnx'],
  http: ['api'],
  state: ['api', 'calls', 'onnx'],
  sandbox: ['api'],
  data: ['api', 'calls'],
  jobs: ['api', 'calls', 'data', 'state', 'sandbox'],
  serving: ['calls', 'onnx', 'runtime', 'api', 'state'],
  load: ['calls', 'onnx', 'api'],
  fleet: ['api', 'onnx', 'runtime', 'state', 'serving'],
  ui: ['api'],
  federation: ['api', 'onnx', 'train', 'http', 'state', 'ui'],
  edge: ['onnx', 'runtime', 'api', 'ui'],
  generative: ['api', 'calls', 'onnx', 'serving', 'state'],
  console: ['onnx', 'api', 'http', 'ui'],
  server: [
    'calls',
    'onnx',
    'runtime',
    'train',
    'api',
    'http',
    'state',
    'sandbox',
    'jobs',
    'serving',
    'fleet',
    'federation',
    'generative',
    'console',
  ],
  cli: [
    'onnx',
    'runtime',
    'train',
    'api',
    'data',
    'state',
    'sandbox',
    'jobs',
    'serving',
    'load',
    'edge',
    'federation',
    'generative',
    'server',
  ],
};

const directions = Object.entries(allowed).map(([from, to]) => ({
  name: `${from}-imports`,
  comment: `packages/${from} may import only: ${to.join(', ') || 'no other package'}.`,
  severity: 'error',
  from: { path: `^packages/${from}/`, pathNot: '\\.test\\.ts$' },
  to: { path: packages, pathNot: `^packages/(${[from, ...to].join('|')})/` },
}));

export default {
  forbidden: [
    ...directions,
    {
      name: 'no-cycles',
      comment: 'Data flows one way, types included; a cycle means that two files are one noun.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['dynamic-import'] } },
    },
    {
      name: 'public-surface',
      comment: 'A package is used through its index, never through its inner files.',
      severity: 'error',
      from: { path: '^(packages/[^/]+|apps|examples|bench)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^packages/[^/]+/src/', pathNot: ['^$1/', ...surface] },
    },
    {
      name: 'transports-know-no-face',
      comment: 'The listeners of HTTP and gRPC get the faces from gateway/faces.ts.',
      severity: 'error',
      from: { path: `${gateway}(http|grpc)/` },
      to: { path: gateway, pathNot: [`${gateway}(http|grpc)/`, `${gateway}(?!faces)[^/]+\\.ts$`] },
    },
    {
      name: 'faces-stand-apart',
      comment: 'A face is a folder that can be left out; those of language models share language/.',
      severity: 'error',
      from: { path: `${gateway}(?!http/|grpc/)([^/]+)/` },
      to: {
        path: `${gateway}[^/]+/`,
        pathNot: [`${gateway}(http|grpc)/`, `${gateway}$1/`, `${gateway}language/`],
      },
    },
    {
      name: 'browser-safe',
      comment:
        'onnx, api and edge run in browsers: nothing of Node, but for what api tells of the machine.',
      severity: 'error',
      from: {
        path: '^packages/(onnx|api|edge)/src/',
        pathNot: [
          '\\.test\\.ts$',
          '/testing/',
          '^packages/api/src/machine/',
          '^packages/edge/src/node/',
          '^packages/edge/src/page-files/pages\\.ts$',
        ],
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'machine-stands-alone',
      comment: 'Pages import api, so nothing of it may lead to the part that needs Node.',
      severity: 'error',
      from: { path: '^packages/(api|ui|console)/src/', pathNot: '^packages/api/src/machine/' },
      to: { path: '^packages/api/src/machine/' },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: [
          '\\.test\\.ts$',
          '(^|/)scripts/',
          'worker',
          '\\.gen\\.',
          '\\.d\\.ts$',
          'contract\\.ts$',
        ],
      },
      to: {},
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(node_modules|dist|fixtures|testing)/|\\.test\\.ts$' },
    parser: 'swc',
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.js', '.mjs'],
    },
    extraExtensionsToScan: ['.mjs'],
  },
};
