/**
 * The area under the ROC curve: how likely a row of class 1 has a higher score than one of class 0,
 * ties counting half. By ranks, as in Hanley and McNeil (Radiology, 1982).
 *
 * @param labels 0 or 1.
 * @returns NaN when a class is missing, because there is nothing to compare.
 */
export function auc(labels: ArrayLike<number>, scores: ArrayLike<number>): number {
  const order = Uint32Array.from({ length: labels.length }, (_, i) => i);
  order.sort((a, b) => scores[a]! - scores[b]!);
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end++;
    // Ranks start + 1 … end are shared by the ties.
    const rank = (start + 1 + end) / 2;
    for (let i = start; i < end; i++) {
      if (labels[order[i]!] !== 1) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = labels.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
