/**
 * Predicts with a LightGBM text line by line: an oracle that shares no code with the reader. Debian has no
 * LightGBM, so it is written from the documentation of the format and of `Tree::GetLeaf`: slow, and in the
 * order of that text.
 */

type Lines = Readonly<Record<string, string>>;

const numbers = (text = ''): number[] =>
  text
    .split(' ')
    .filter((each) => each !== '')
    .map(Number);

/** Sums of the leaves of one row, divided by the rounds where the model averages. */
export function referenceSums(text: string, row: ArrayLike<number>): number[] {
  const [head = '', ...trees] = text.split('end of trees')[0]!.split('Tree=');
  const outputs = Number(/num_tree_per_iteration=(\d+)/.exec(head)![1]);
  const sums = Array.from({ length: outputs }, () => 0);
  trees.forEach((tree, at) => (sums[at % outputs]! += leafValue(linesOf(tree), row)));
  const rounds = trees.length / outputs;
  return head.includes('average_output') ? sums.map((sum) => sum / rounds) : sums;
}

function linesOf(tree: string): Lines {
  return Object.fromEntries(
    tree.split('\n').flatMap((line) => {
      const [key, value] = line.split('=');
      return value === undefined ? [] : [[key!, value]];
    }),
  );
}

function leafValue(tree: Lines, row: ArrayLike<number>): number {
  const values = numbers(tree['leaf_value']);
  if (tree['num_leaves'] === '1') return values[0]!;
  let node = 0;
  while (node >= 0) {
    const value = row[numbers(tree['split_feature'])[node]!]!;
    const isLeft =
      numbers(tree['decision_type'])[node]! % 2 === 1
        ? isInSet(tree, node, value)
        : isSmall(tree, node, value);
    node = numbers(tree[isLeft ? 'left_child' : 'right_child'])[node]!;
  }
  return values[-node - 1]!;
}

/** A number: missing values are zero unless the split distinguishes them. */
function isSmall(tree: Lines, node: number, given: number): boolean {
  const type = numbers(tree['decision_type'])[node]!;
  const missing = ['none', 'zero', 'nan'][Math.floor(type / 4)];
  const isDefaultLeft = Math.floor(type / 2) % 2 === 1;
  const value = Number.isNaN(given) && missing !== 'nan' ? 0 : given;
  const tiny = Math.fround(1e-35);
  if (missing === 'zero' && value >= -tiny && value <= tiny) return isDefaultLeft;
  if (missing === 'nan' && Number.isNaN(value)) return isDefaultLeft;
  return value <= numbers(tree['threshold'])[node]!;
}

/** A category: its bit in the words of the set. */
function isInSet(tree: Lines, node: number, value: number): boolean {
  if (Number.isNaN(value)) return false;
  const category = value < 0 ? Math.ceil(value) : Math.floor(value);
  if (category < 0) return false;
  const set = numbers(tree['threshold'])[node]!;
  const bounds = numbers(tree['cat_boundaries']);
  const words = numbers(tree['cat_threshold']).slice(bounds[set], bounds[set + 1]);
  const word = words[Math.floor(category / 32)];
  return word !== undefined && Math.floor(word / 2 ** (category % 32)) % 2 === 1;
}
