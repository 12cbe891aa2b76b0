/** The bundles of this page, and its state in one value. */
import { createEdge, keepOffline, type PageEdge } from '@skein/edge/page';
import { Store } from '@skein/ui';
import { parseDictionary } from '../../ocr/ctc.ts';
import type { Raster } from '../../ocr/raster.ts';
import { MODELS, readText, type ModelName, type TextOfPicture } from '../read-text.ts';
import { resize } from './picture.ts';

/** `device`: inputs are private. `either`: the policy may ask the node. */
export type Where = 'device' | 'either';

export interface Model {
  readonly name: ModelName;
  readonly version: number | undefined;
  readonly runsOn: PageEdge['runsOn'];
  readonly failed: PageEdge['failed'];
  readonly isPersistent: boolean | undefined;
}

export interface State {
  readonly models: readonly Model[];
  /** The page starts without its server. */
  readonly isOffline: boolean;
  readonly isUpdating: boolean;
  /** Result of the last look for updates. */
  readonly updates: string;
  readonly isReading: boolean;
  readonly picture: Raster | undefined;
  readonly text: TextOfPicture | undefined;
  readonly trouble: string;
}

export const state = new Store<State>({
  models: [],
  isOffline: false,
  isUpdating: false,
  updates: '',
  isReading: false,
  picture: undefined,
  text: undefined,
  trouble: '',
});
const change = (next: Partial<State>): void => state.set({ ...state.value, ...next });

const fetched = async (path: string): Promise<Response> => {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} cannot be read: HTTP status ${response.status}.`);
  return response;
};

const edges = new Map<ModelName, PageEdge>();
/** Both bundles open at once: each has workers of its own. */
const opened = (async () => {
  const pinnedRoot = new Uint8Array(await (await fetched('/root.json')).arrayBuffer());
  await Promise.all(
    MODELS.map(async (model) => {
      const source = `${location.origin}/published`;
      const server = { url: location.origin };
      const scripts = `${location.origin}/edge/`;
      edges.set(model, await createEdge({ model, source, pinnedRoot, server, scripts }));
    }),
  );
  showModels();
})();
const dictionary = fetched('/dictionary.txt').then(async (file) =>
  parseDictionary(await file.text()),
);

function showModels(): void {
  const models = MODELS.flatMap((name) => {
    const edge = edges.get(name);
    if (edge === undefined) return [];
    const { version, runsOn, failed, isPersistent } = edge;
    return [{ name, version, runsOn, failed, isPersistent }];
  });
  change({ models });
}

/** Opens the bundles, installs what is missing, and keeps the files of the page. */
export async function start(): Promise<void> {
  try {
    await opened;
    await update();
    await keepOffline('/sw.js');
    change({ isOffline: true });
  } catch (error) {
    change({ trouble: (error as Error).message });
  }
}

export async function update(): Promise<void> {
  change({ isUpdating: true });
  const results: string[] = [];
  for (const [name, edge] of edges) {
    try {
      const outcome = await edge.update();
      const { version } = outcome;
      results.push(
        outcome.kind === 'refused'
          ? `${name} version ${version} was refused: ${outcome.reason}`
          : outcome.kind === 'updated'
            ? `${name} version ${version} is installed`
            : `${name} is current`,
      );
    } catch (error) {
      results.push(`${name}: ${(error as Error).message}`);
    }
    showModels();
  }
  change({ isUpdating: false, updates: results.join('. ') });
}

export async function read(picture: Promise<Raster>, where: Where): Promise<void> {
  change({ isReading: true, trouble: '', text: undefined });
  try {
    const raster = await picture;
    change({ picture: raster });
    await opened;
    const reader = {
      edges: Object.fromEntries(edges) as unknown as Record<ModelName, PageEdge>,
      dictionary: await dictionary,
      resize,
    };
    change({ text: await readText(raster, reader, { private: where === 'device' }) });
  } catch (error) {
    change({ trouble: (error as Error).message });
  }
  showModels();
  change({ isReading: false });
}
