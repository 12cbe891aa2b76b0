/** The questions of the db-benchmark: ten over its group-by table, five over its join tables. */
export interface Question {
  readonly sql: string;
  /** Numbers of the result, whose sums are compared between both sides. */
  readonly sums: readonly string[];
}

export const GROUP_QUESTIONS: readonly Question[] = [
  { sql: 'SELECT id1, sum(v1) AS v1 FROM data GROUP BY id1', sums: ['v1'] },
  { sql: 'SELECT id1, id2, sum(v1) AS v1 FROM data GROUP BY id1, id2', sums: ['v1'] },
  { sql: 'SELECT id3, sum(v1) AS v1, avg(v3) AS v3 FROM data GROUP BY id3', sums: ['v1', 'v3'] },
  {
    sql: 'SELECT id4, avg(v1) AS v1, avg(v2) AS v2, avg(v3) AS v3 FROM data GROUP BY id4',
    sums: ['v1', 'v2', 'v3'],
  },
  {
    sql: 'SELECT id6, sum(v1) AS v1, sum(v2) AS v2, sum(v3) AS v3 FROM data GROUP BY id6',
    sums: ['v1', 'v2', 'v3'],
  },
  {
    sql: 'SELECT id4, id5, median(v3) AS v3, stddev(v3) AS deviation FROM data GROUP BY id4, id5',
    sums: ['v3', 'deviation'],
  },
  { sql: 'SELECT id3, max(v1) - min(v2) AS v1 FROM data GROUP BY id3', sums: ['v1'] },
  {
    sql: `SELECT id6, v3 FROM (SELECT id6, v3, row_number() OVER (PARTITION BY id6 ORDER BY v3 DESC) AS place FROM data)
      WHERE place <= 2`,
    sums: ['v3'],
  },
  {
    sql: 'SELECT id2, id4, corr(v1, v2) ** 2 AS r2 FROM data GROUP BY id2, id4',
    sums: ['r2'],
  },
  {
    sql: `SELECT id1, id2, id3, id4, id5, id6, sum(v3) AS v3, count(*) AS n
      FROM data GROUP BY id1, id2, id3, id4, id5, id6`,
    sums: ['v3', 'n'],
  },
];

/** This question returns nearly as many rows as it reads. */
export const UNGROUPED = GROUP_QUESTIONS[9]!;

const MEDIUM = 'data.*, medium.id1 AS medium_id1, medium.id4 AS medium_id4, medium.v2';

export const JOIN_QUESTIONS: readonly Question[] = [
  'SELECT data.*, small.id4 AS small_id4, small.v2 FROM data JOIN small USING (id1)',
  `SELECT ${MEDIUM}, medium.id5 AS medium_id5 FROM data JOIN medium USING (id2)`,
  `SELECT ${MEDIUM}, medium.id5 AS medium_id5 FROM data LEFT JOIN medium USING (id2)`,
  `SELECT ${MEDIUM}, medium.id2 AS medium_id2 FROM data JOIN medium USING (id5)`,
  'SELECT data.*, big.id1 AS big_id1, big.id2 AS big_id2, big.id4 AS big_id4, big.id5 AS big_id5, big.id6 AS big_id6, big.v2 FROM data JOIN big USING (id3)',
].map((sql) => ({ sql, sums: ['v1', 'v2'] }));
