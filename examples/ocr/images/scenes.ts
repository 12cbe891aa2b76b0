/**
 * The sample images as values: what is written where. The expected lines are not a second list, they
 * are the drawn texts themselves, in the order in which a person would read them.
 */
export interface Label {
  readonly x: number;
  /** Baseline. */
  readonly y: number;
  readonly size: number;
  readonly text: string;
  readonly weight?: 'bold';
  readonly fill?: string;
  readonly family?: string;
  readonly anchor?: 'start' | 'middle' | 'end';
}

export interface Scene {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly background: string;
  /** SVG under the text: lines, boxes, gradients. */
  readonly decoration: string;
  /** In reading order. */
  readonly labels: readonly Label[];
  /** Clockwise turn of the finished picture in degrees; the corners are filled with grey. */
  readonly turned?: number;
  /** Standard deviation of camera noise, of 255. */
  readonly noise?: number;
  /** Gaussian blur in pixels. */
  readonly blur?: number;
  /** For JPEG and WebP. */
  readonly quality?: number;
}

const SANS = 'DejaVu Sans';
const SERIF = 'DejaVu Serif';
const MONO = 'DejaVu Sans Mono';
const ARIAL = 'Liberation Sans';

const rule = (x1: number, y: number, x2: number, colour = '#888'): string =>
  `<line x1="${x1}" y1="${y}" x2="${x2}" y2="${y}" stroke="${colour}" stroke-width="1.5"/>`;

/** Cells of a table, row by row. */
function table(
  rows: readonly (readonly string[])[],
  columns: readonly { readonly x: number; readonly anchor?: 'end' }[],
  first: number,
  step: number,
  style: Pick<Label, 'size' | 'family'>,
): Label[] {
  return rows.flatMap((row, index) =>
    row.map((text, column) => ({ ...columns[column]!, ...style, y: first + index * step, text })),
  );
}

const invoice: Scene = {
  file: 'invoice.png',
  width: 900,
  height: 700,
  background: '#ffffff',
  decoration:
    rule(60, 150, 840) + rule(60, 260, 840) + rule(60, 304, 840) + rule(60, 504, 840, '#333'),
  labels: [
    { x: 60, y: 90, size: 40, weight: 'bold', text: 'INVOICE', family: ARIAL },
    { x: 840, y: 90, size: 24, text: 'No. 2024-0117', anchor: 'end', family: ARIAL },
    { x: 60, y: 190, size: 22, text: 'Northwind Traders', family: ARIAL },
    { x: 840, y: 190, size: 22, text: 'Date: 12 March 2024', anchor: 'end', family: ARIAL },
    { x: 60, y: 228, size: 22, text: '14 Harbour Street, Bristol', family: ARIAL },
    { x: 840, y: 228, size: 22, text: 'Due: 11 April 2024', anchor: 'end', family: ARIAL },
    { x: 60, y: 290, size: 22, weight: 'bold', text: 'Description', family: ARIAL },
    { x: 620, y: 290, size: 22, weight: 'bold', text: 'Quantity', anchor: 'end', family: ARIAL },
    { x: 840, y: 290, size: 22, weight: 'bold', text: 'Amount', anchor: 'end', family: ARIAL },
    ...table(
      [
        ['Oak desk', '2', '640.00'],
        ['Office chair', '4', '516.00'],
        ['Desk lamp', '6', '207.00'],
        ['Delivery', '1', '45.00'],
      ],
      [{ x: 60 }, { x: 620, anchor: 'end' }, { x: 840, anchor: 'end' }],
      344,
      44,
      { size: 22, family: ARIAL },
    ),
    { x: 620, y: 550, size: 24, weight: 'bold', text: 'Total EUR', anchor: 'end', family: ARIAL },
    { x: 840, y: 550, size: 24, weight: 'bold', text: '1,408.00', anchor: 'end', family: ARIAL },
    { x: 60, y: 640, size: 20, text: 'Please pay within 30 days. Thank you!', family: ARIAL },
  ],
};

const labReport: Scene = {
  file: 'lab-report.png',
  width: 860,
  height: 620,
  background: '#fdfdf8',
  decoration: rule(50, 110, 810, '#357') + rule(50, 230, 810) + rule(50, 540, 810),
  labels: [
    {
      x: 50,
      y: 80,
      size: 32,
      weight: 'bold',
      text: 'Laboratory Report',
      family: SERIF,
      fill: '#246',
    },
    { x: 50, y: 150, size: 20, text: 'Patient: Jane Miller', family: SANS },
    { x: 480, y: 150, size: 20, text: 'Collected: 2024-05-21', family: SANS },
    { x: 50, y: 190, size: 20, text: 'Born: 1978-11-02', family: SANS },
    { x: 480, y: 190, size: 20, text: 'Sample: Serum', family: SANS },
    ...table(
      [
        ['Hemoglobin', '13.8', 'g/dL', '12.0-16.0'],
        ['Leukocytes', '6.4', 'G/L', '4.0-10.0'],
        ['Platelets', '251', 'G/L', '150-400'],
        ['Glucose', '5.1', 'mmol/L', '3.9-5.6'],
        ['Creatinine', '74', 'umol/L', '45-84'],
        ['Cholesterol', '4.9', 'mmol/L', '3.0-5.2'],
      ].map(([name = '', value = '', unit = '', range = '']) => [name, value, unit, range]),
      [{ x: 50 }, { x: 410, anchor: 'end' }, { x: 480 }, { x: 660 }],
      280,
      46,
      { size: 21, family: SANS },
    ),
    { x: 50, y: 580, size: 18, text: 'All values within the reference range.', family: SANS },
  ],
};

const streetSign: Scene = {
  file: 'street-sign.jpg',
  width: 720,
  height: 480,
  background: '#9cc4e4',
  decoration:
    '<rect y="330" width="720" height="150" fill="#6b705c"/><rect x="345" y="150" width="22" height="330" fill="#555"/>' +
    '<rect x="120" y="80" width="480" height="130" rx="14" fill="#14532d" stroke="#fff" stroke-width="6"/>',
  labels: [
    {
      x: 360,
      y: 168,
      size: 62,
      weight: 'bold',
      text: 'Baker Street',
      fill: '#fff',
      family: ARIAL,
      anchor: 'middle',
    },
  ],
  quality: 82,
};

const rotatedScan: Scene = {
  file: 'rotated-scan.jpg',
  width: 800,
  height: 560,
  background: '#f7f4ec',
  decoration: rule(70, 120, 730, '#999'),
  labels: [
    { x: 70, y: 95, size: 30, weight: 'bold', text: 'Meeting notes', family: SERIF },
    { x: 70, y: 170, size: 23, text: 'The harbour bridge closes on Monday.', family: SERIF },
    { x: 70, y: 225, size: 23, text: 'Traffic will be led over Mill Lane.', family: SERIF },
    { x: 70, y: 280, size: 23, text: 'Repairs take about three weeks.', family: SERIF },
    { x: 70, y: 335, size: 23, text: 'Budget: 48,500 euros', family: SERIF },
    { x: 70, y: 390, size: 23, text: 'Next meeting: Friday at 9:30', family: SERIF },
    { x: 70, y: 470, size: 23, text: 'Signed, R. Whitfield', family: SERIF },
  ],
  turned: 4,
  noise: 5,
  quality: 78,
};

const receipt: Scene = {
  file: 'receipt.png',
  width: 420,
  height: 640,
  background: '#fafafa',
  decoration: rule(30, 150, 390) + rule(30, 440, 390),
  labels: [
    {
      x: 210,
      y: 70,
      size: 30,
      weight: 'bold',
      text: 'CORNER CAFE',
      family: MONO,
      anchor: 'middle',
    },
    { x: 210, y: 118, size: 20, text: '7 Station Road', family: MONO, anchor: 'middle' },
    ...table(
      [
        ['Espresso', '2.60'],
        ['Flat white', '3.40'],
        ['Croissant', '2.90'],
        ['Orange juice', '4.10'],
        ['Sandwich', '6.75'],
      ],
      [{ x: 30 }, { x: 390, anchor: 'end' }],
      200,
      50,
      { size: 22, family: MONO },
    ),
    { x: 30, y: 490, size: 26, weight: 'bold', text: 'TOTAL', family: MONO },
    { x: 390, y: 490, size: 26, weight: 'bold', text: '19.75', family: MONO, anchor: 'end' },
    { x: 210, y: 580, size: 20, text: 'THANK YOU', family: MONO, anchor: 'middle' },
  ],
};

const label: Scene = {
  file: 'label.png',
  width: 560,
  height: 340,
  background: '#ffffff',
  decoration:
    '<rect x="12" y="12" width="536" height="316" rx="18" fill="none" stroke="#000" stroke-width="4"/>',
  labels: [
    { x: 40, y: 85, size: 36, weight: 'bold', text: 'FRAGILE', family: ARIAL, fill: '#b00020' },
    { x: 40, y: 145, size: 26, text: 'Lot: A7-20391', family: ARIAL },
    { x: 40, y: 200, size: 26, text: 'Net weight: 12.5 kg', family: ARIAL },
    { x: 40, y: 255, size: 26, text: 'Best before 09/2026', family: ARIAL },
    { x: 40, y: 305, size: 20, text: 'Keep dry and cool', family: ARIAL },
  ],
};

const terminal: Scene = {
  file: 'terminal.png',
  width: 820,
  height: 380,
  background: '#101418',
  decoration:
    '<rect width="820" height="34" fill="#2b3038"/><circle cx="22" cy="17" r="7" fill="#f66"/><circle cx="46" cy="17" r="7" fill="#fc5"/><circle cx="70" cy="17" r="7" fill="#6c6"/>',
  labels: [
    'npm start',
    'listening on port 4700',
    'loaded 3 models in 412 ms',
    'warning: disk is 91% full',
    'request 8fa31c took 27 ms',
    'stopped after 14 requests',
  ].map((text, index) => ({
    x: 24,
    y: 84 + index * 50,
    size: 21,
    text,
    family: MONO,
    fill: index === 3 ? '#ffcc66' : '#d6deeb',
  })),
};

const businessCard: Scene = {
  file: 'business-card.webp',
  width: 700,
  height: 400,
  background: '#f4efe6',
  decoration: '<rect width="18" height="400" fill="#8a3324"/>',
  labels: [
    { x: 70, y: 110, size: 40, weight: 'bold', text: 'Helena Fischer', family: SERIF },
    { x: 70, y: 160, size: 24, text: 'Structural engineer', family: SERIF, fill: '#555' },
    { x: 70, y: 255, size: 22, text: '+44 20 7946 0018', family: SANS },
    { x: 70, y: 300, size: 22, text: 'helena@fischer.example', family: SANS },
    { x: 70, y: 345, size: 22, text: '22 Canal Walk, Leeds', family: SANS },
  ],
  quality: 80,
};

const numbers: Scene = {
  file: 'numbers.png',
  width: 640,
  height: 420,
  background: '#ffffff',
  decoration: [80, 140, 200, 260, 320].map((y) => rule(30, y + 2, 610, '#ccc')).join(''),
  labels: table(
    [
      ['1024', '3.1416', '-17.5'],
      ['2048', '2.7183', '99.95'],
      ['4096', '1.4142', '0.001'],
      ['8192', '1.6180', '65,536'],
      ['16384', '0.5772', '271.8'],
      ['32768', '1.2021', '808'],
    ],
    [
      { x: 150, anchor: 'end' },
      { x: 360, anchor: 'end' },
      { x: 590, anchor: 'end' },
    ],
    64,
    60,
    { size: 26, family: SANS },
  ),
};

const noisyFax: Scene = {
  file: 'noisy-fax.jpg',
  width: 760,
  height: 420,
  background: '#e9e6de',
  decoration: '',
  labels: [
    { x: 50, y: 80, size: 28, weight: 'bold', text: 'FAX MESSAGE', family: ARIAL, fill: '#333' },
    { x: 50, y: 145, size: 24, text: 'To: Purchasing department', family: ARIAL, fill: '#333' },
    { x: 50, y: 200, size: 24, text: 'From: Mason and Sons', family: ARIAL, fill: '#333' },
    { x: 50, y: 270, size: 24, text: 'Please confirm order 58213', family: ARIAL, fill: '#333' },
    { x: 50, y: 325, size: 24, text: 'before the end of the week.', family: ARIAL, fill: '#333' },
  ],
  noise: 18,
  blur: 0.6,
  quality: 60,
};

const lightOnDark: Scene = {
  file: 'light-on-dark.png',
  width: 760,
  height: 360,
  background: '#1d2b53',
  decoration: '<circle cx="660" cy="90" r="50" fill="#fff1c9"/>',
  labels: [
    {
      x: 50,
      y: 105,
      size: 46,
      weight: 'bold',
      text: 'Night Market',
      fill: '#fff1c9',
      family: SERIF,
    },
    { x: 50, y: 175, size: 26, text: 'Every Saturday in August', fill: '#e8ecf8', family: SANS },
    { x: 50, y: 230, size: 26, text: 'Food, music and lanterns', fill: '#e8ecf8', family: SANS },
    { x: 50, y: 300, size: 26, text: 'Free entry from 19:00', fill: '#7fd6c2', family: SANS },
  ],
};

const quarterTurn: Scene = {
  file: 'quarter-turn.png',
  width: 700,
  height: 460,
  background: '#ffffff',
  decoration: rule(50, 105, 650),
  labels: [
    { x: 50, y: 85, size: 32, weight: 'bold', text: 'Packing list', family: ARIAL },
    ...table(
      [
        ['Hex bolts M8', '120'],
        ['Washers', '240'],
        ['Angle brackets', '36'],
        ['Wood glue', '8'],
      ],
      [{ x: 50 }, { x: 640, anchor: 'end' }],
      165,
      58,
      { size: 25, family: ARIAL },
    ),
    { x: 50, y: 420, size: 22, text: 'Checked by warehouse B', family: ARIAL },
  ],
  turned: 90,
};

const upsideDown: Scene = {
  file: 'upside-down.webp',
  width: 720,
  height: 380,
  background: '#fffdf5',
  decoration: '',
  labels: [
    { x: 50, y: 90, size: 30, weight: 'bold', text: 'Return form', family: SERIF },
    { x: 50, y: 160, size: 24, text: 'Order number 774-1902', family: SERIF },
    { x: 50, y: 215, size: 24, text: 'Reason: wrong colour', family: SERIF },
    { x: 50, y: 270, size: 24, text: 'Refund to original card', family: SERIF },
    { x: 50, y: 325, size: 24, text: 'Posted on 3 June', family: SERIF },
  ],
  turned: 180,
  quality: 80,
};

const shopFront: Scene = {
  file: 'shop-front.jpg',
  width: 1600,
  height: 1100,
  background: '#b9d6ea',
  decoration:
    '<defs><linearGradient id="wall" x1="0" y1="0" x2="1" y2="1"><stop offset="0" stop-color="#a45a3c"/><stop offset="1" stop-color="#7d3f2a"/></linearGradient></defs>' +
    '<rect y="140" width="1600" height="800" fill="url(#wall)"/><rect y="940" width="1600" height="160" fill="#70706e"/>' +
    '<rect x="180" y="220" width="1240" height="190" fill="#20322c"/><rect x="220" y="470" width="560" height="420" fill="#d8e4e8"/><rect x="960" y="470" width="260" height="470" fill="#46332a"/>' +
    '<rect x="300" y="560" width="400" height="240" fill="#fbf7ea"/>',
  labels: [
    {
      x: 800,
      y: 348,
      size: 104,
      weight: 'bold',
      text: 'GREEN & DAUGHTERS',
      fill: '#f3e3b3',
      family: SERIF,
      anchor: 'middle',
    },
    { x: 500, y: 640, size: 46, text: 'Open daily', family: SERIF, anchor: 'middle', fill: '#222' },
    {
      x: 500,
      y: 735,
      size: 46,
      text: '8 am to 6 pm',
      family: SERIF,
      anchor: 'middle',
      fill: '#222',
    },
  ],
  noise: 4,
  quality: 70,
};

const blank: Scene = {
  file: 'blank.png',
  width: 400,
  height: 300,
  background: '#f0f0f0',
  decoration: '',
  labels: [],
};

export const SCENES: readonly Scene[] = [
  invoice,
  labReport,
  streetSign,
  rotatedScan,
  receipt,
  label,
  terminal,
  businessCard,
  numbers,
  noisyFax,
  lightOnDark,
  quarterTurn,
  upsideDown,
  shopFront,
  blank,
];
