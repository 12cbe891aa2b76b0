const [n, w, ...weights] = require('node:fs')
  .readFileSync(0, 'utf8')
  .trim()
  .split(/\s+/)
  .map(Number);
const a = Int32Array.from(weights.slice(0, n)).sort();
let light = 0;
let trips = 0;
for (let heavy = n - 1; light <= heavy; heavy--, trips++) {
  if (light < heavy && a[light] + a[heavy] <= w) light++;
}
console.log(trips);
