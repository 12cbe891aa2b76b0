import { readFileSync } from 'node:fs';

enum Place {
  Count,
  Capacity,
  First,
}

const numbers: number[] = readFileSync(0, 'utf8').trim().split(/\s+/).map(Number);
const n: number = numbers[Place.Count]!;
const w: number = numbers[Place.Capacity]!;
const a: Int32Array = Int32Array.from(numbers.slice(Place.First, Place.First + n)).sort();
let light = 0;
let trips = 0;
for (let heavy = n - 1; light <= heavy; heavy--, trips++) {
  if (light < heavy && a[light]! + a[heavy]! <= w) light++;
}
console.log(trips);
