/** Rows of a site that are arrays, such as images, checked against the shape of a plan before anything is sent. */
import { SkeinError } from '@skein/api/errors';
import { mlp, type NumericTensor } from '@skein/onnx';
import { assemblePublic, rowsFor, TrainError, type PublicColumns } from '@skein/train';
import { classCounts, isOfArrays, type RowTerms, type SiteRows } from './site-rows.ts';

/** Arrays as they were read: by name, with the labels of their rows. */
export type SiteArrays = Extract<Parameters<typeof rowsFor>[1], { readonly from: 'arrays' }>;

/** Names of labels in a file of several arrays, where none is named as the target. */
const LABELS = ['labels', 'y'];

/** The arrays of a file as rows and labels. @throws SkeinError SITE_DATA_UNFIT where no array has the labels. */
export function labelledArrays(
  { target }: Pick<PublicColumns, 'target'>,
  arrays: ReadonlyMap<string, NumericTensor>,
): SiteArrays {
  const name = [target.name, ...LABELS].find((each) => arrays.has(each));
  if (name === undefined) {
    throw unfit(
      `No array is called "${target.name}", as the labels of the plan; there are ${[...arrays.keys()].join(', ')}.`,
    );
  }
  const inputs = new Map([...arrays].filter(([each]) => each !== name));
  return { from: 'arrays', inputs, labels: arrays.get(name)! };
}

/** @throws SkeinError SITE_DATA_UNFIT naming the row, or the shape. */
export function readSiteArrays(
  data: PublicColumns,
  arrays: SiteArrays,
  { mayBeOneClass = false }: RowTerms = {},
): SiteRows {
  if (!isOfArrays(data)) throw unfit('The plan takes columns of a table, and the rows are arrays.');
  try {
    // Rows are taken as they are: any network over them takes the same tensors.
    const linear = assemblePublic(
      data,
      ({ inputs, outputs, seed }) => mlp({ sizes: [inputs, outputs], seed }),
      0,
    );
    const rows = rowsFor(linear, arrays);
    const { target } = data;
    const classes = classCounts(rows, target.kind === 'category' ? target.classes : []);
    const occurring = classes.filter((each) => each.rows > 0);
    if (occurring.length === 1 && !mayBeOneClass) {
      throw unfit(
        `All ${rows.count} rows have '${target.name}' = ${occurring[0]!.name}: a site needs rows of at least two classes.`,
      );
    }
    return { rows, count: rows.count, unused: [], outside: [], rounded: [], classes };
  } catch (error) {
    if (error instanceof TrainError) throw unfit(error.message, error);
    throw error;
  }
}

const unfit = (message: string, cause?: unknown): SkeinError =>
  new SkeinError('SITE_DATA_UNFIT', message, { cause });
