/**
 * The comparison claims nothing that the matrix of features does not show: every row with a cell of Skein
 * lists its capabilities here, and begins "partly" (or "not") exactly where one of them works in part.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Row of the page, by section and first cell → beginnings of capabilities in the matrix. */
const CLAIMS: Readonly<Record<string, readonly string[]>> = {
  'Serving/models': ['Read and write ONNX byte for byte', 'Compositions in TypeScript'],
  'Serving/protocol': ['Open Inference Protocol v2 over HTTP', '… over gRPC'],
  'Serving/a request that would be late': ['Deadlines, predicted-finish admission'],
  'Serving/batches': ['Deadlines, predicted-finish admission'],
  'Serving/canary and rollback': ['Versions, canary, sticky routing, shadow diff'],
  'Serving/GPUs': ['CUDA'],
  'Serving/several machines': ['`skein up --redis --blobs`'],
  'Serving/Kubernetes': ['Helm chart'],
  'Serving/runs on a laptop': ['State survives restart'],
  'Durable work/store': ['One store contract over SQLite and Redis'],
  'Durable work/untrusted work': [
    'bubblewrap, Docker, Kubernetes',
    'What is held here is tried before it is claimed',
  ],
  'Durable work/a worker that lost its lease': ['`kill -9` of workers, supervisors'],
  'Durable work/many parents, gangs': ['One store contract over SQLite and Redis'],
  'Durable work/fair shares between tenants': ['Weighted fair share over cores and memory'],
  'Durable work/remote cancel': ['Cancel of a running attempt'],
  'Training/model': ['Gradient of an ONNX graph', 'Refusals that name the node: If, Loop, Scan'],
  'Training/step': ['The same step natively, in WebAssembly and in a page'],
  'Training/small models on CPUs': ['PyTorch’s speed'],
  'Training/several machines': [
    'Ring of sockets',
    'Several processes as a gang',
    'A training as a gang of jobs',
  ],
  'Training/federated sites': ['Federations on a node'],
  'Training/privacy': ['DP-FedSGD', 'Secure sums against a malicious server'],
  'Training/strategies': ['Federated strategies'],
  'Language models/providers': ['Language models in OpenAI'],
  'Language models/a late first token': [
    'Admission by the predicted time to the first token',
    'A gateway as a library',
  ],
  'Language models/budgets': ['Prices and budgets by key, tenant and period'],
  'Language models/local models': ['Local language models', 'GGUF files by `node-llama-cpp`'],
  'Language models/GPUs': ['CUDA'],
  'Language models/redaction': ['Redaction of prompts and answers'],
};

const plain = (text: string): string => text.replaceAll('’', "'");

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** Every row whose table has a column for Skein. The row with the strengths of others claims nothing. */
function claimsOf(page: string): { key: string; cell: string }[] {
  let section = '';
  let hasSkein = false;
  return page.split('\n').flatMap((line) => {
    if (line.startsWith('## ')) [section, hasSkein] = [line.slice(3), false];
    if (!line.startsWith('|') || line.includes('---')) return [];
    const [label = '', cell = ''] = cellsOf(line);
    if (label === '') hasSkein = cell === 'Skein';
    else if (hasSkein && !label.startsWith('better than')) {
      return [{ key: `${section}/${label}`, cell }];
    }
    return [];
  });
}

function capabilities(): { name: string; works: string }[] {
  return read('docs/reference/evidence.md')
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map(cellsOf)
    .map(([name = '', works = '']) => ({ name: plain(name), works }));
}

function worksOf(beginning: string): string {
  const found = capabilities().filter(({ name }) => name.startsWith(plain(beginning)));
  if (found.length !== 1) throw new Error(`${found.length} capabilities begin "${beginning}"`);
  return found[0]!.works;
}

describe('the comparison with other systems', () => {
  const claims = claimsOf(read('docs/why-skein.md'));

  it('names the capabilities of every row', () => {
    expect(claims.map(({ key }) => key).toSorted()).toEqual(Object.keys(CLAIMS).toSorted());
  });

  it.each(claims)('states for "$key" whether it works in part', ({ key, cell }) => {
    const works = (CLAIMS[key] ?? []).map(worksOf);
    expect(works.every((each) => each === 'yes' || each === 'part')).toBe(true);
    expect(/^(partly|not)\b/.test(cell)).toBe(works.includes('part'));
  });

  it('refuses a claim that the matrix marks as partial', () => {
    expect(worksOf('CUDA')).toBe('part');
    expect(() => worksOf('Teleportation')).toThrow('0 capabilities begin');
  });
});
