/** Everything that is not a page: signs, labels, screens. */
import { ARIAL, MONO, SANS, SERIF, type Scene } from './scene.ts';

export const streetSign: Scene = {
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

export const label: Scene = {
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

export const terminal: Scene = {
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

export const businessCard: Scene = {
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

export const lightOnDark: Scene = {
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

export const shopFront: Scene = {
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
      y: 346,
      size: 90,
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

export const blank: Scene = {
  file: 'blank.png',
  width: 400,
  height: 300,
  background: '#f0f0f0',
  decoration: '',
  labels: [],
};
