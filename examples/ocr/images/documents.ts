/** Printed pages: straight, crooked, turned, noisy. */
import { ARIAL, MONO, rule, SANS, SERIF, table, type Scene } from './scene.ts';

export const invoice: Scene = {
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

export const labReport: Scene = {
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

export const rotatedScan: Scene = {
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
    { x: 70, y: 470, size: 23, text: 'Signed, Ruth Bell', family: SERIF },
  ],
  turned: 4,
  noise: 5,
  quality: 78,
};

export const receipt: Scene = {
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

export const numbers: Scene = {
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

export const noisyFax: Scene = {
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

export const quarterTurn: Scene = {
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

export const upsideDown: Scene = {
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
